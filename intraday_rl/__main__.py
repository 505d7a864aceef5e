"""`python -m intraday_rl`."""

from intraday_rl.entry import main

if __name__ == "__main__":
    main()
