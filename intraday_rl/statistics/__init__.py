"""Statistics: what is a result worth? Pure functions on numpy arrays, no state, no clock.

    arrays           what a series may be
    ratios           Sharpe, Sortino, CAGR, Calmar
    moments          mean to raw kurtosis
    drawdowns        on bar equity and inside a session
    intervals        stationary bootstrap, abstention
    seeds            interquartile mean over seeds
    probabilistic    probabilistic and deflated Sharpe
    trials           how many independent things were tried
    overfitting      PBO by CSCV
    null             rank p-values, dealt sessions
    trades           round trips from a ledger
    calendar_tables  months and weekdays
    choice           which trial a test fold may use
    verdict          one word for a fold

Import from the files: `intervals` and `seeds` load `arch`, the others load in no time.
"""
