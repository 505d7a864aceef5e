"""The entry script: `python experiments/run.py symbol=TQQQ dry_run=true`."""

from intraday_rl.entry import main

if __name__ == "__main__":
    main()
