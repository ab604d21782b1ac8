"""Data that come with the package's dependencies, ready to use."""

import numpy as np
import pandas as pd

MACRO_LABELS = {
    "growth": "Real GDP growth, % a year",
    "infl": "CPI inflation, % a year",
    "unemp": "Unemployment rate, %",
    "realint": "Real interest rate, % a year",
    "tbilrate": "Treasury bill rate, % a year",
    "consumption_growth": "Consumption growth, % a year",
    "investment_growth": "Investment growth, % a year",
    "income_growth": "Disposable income growth, % a year",
    "money_growth": "Growth of M1, % a year",
}
"""What the rates of :func:`load_macro` are, with units, for charts and tables."""


def load_macro() -> pd.DataFrame:
    """US quarterly macroeconomic data, 1959Q1 to 2009Q3.

    The data set ``macrodata`` of statsmodels (FRED and Bureau of Labor Statistics; public domain)
    with a quarterly PeriodIndex and growth rates added. The columns ``year`` and ``quarter`` of the
    original are the index here.

    Returns
    -------
    DataFrame, shape (203, 17)
        Index ``quarter``, a PeriodIndex of frequency ``Q-DEC``, and the columns

        ==================== ======================================================================
        realgdp              Real gross domestic product, billions of chained 2005 US dollars,
                             seasonally adjusted, annual rate
        realcons             Real personal consumption expenditures, same units
        realinv              Real gross private domestic investment, same units
        realgovt             Real federal consumption expenditures and gross investment, same units
        realdpi              Real private disposable income, same units
        cpi                  Consumer price index for all urban consumers, all items, end of
                             quarter, 1982-84 = 100, seasonally adjusted
        m1                   M1 nominal money stock, end of quarter, billions of US dollars,
                             seasonally adjusted
        tbilrate             3-month Treasury bill rate, secondary market, quarterly average of
                             months, percent a year
        unemp                Unemployment rate, seasonally adjusted, percent of the labour force
        pop                  Total population including armed forces overseas, end of quarter,
                             millions
        infl                 CPI inflation, 400 times the log difference, percent a year
        realint              Real interest rate, ``tbilrate - infl``, percent a year
        growth               Growth of realgdp, 400 times the log difference, percent a year
        consumption_growth   Growth of realcons, percent a year
        investment_growth    Growth of realinv, percent a year
        income_growth        Growth of realdpi, percent a year
        money_growth         Growth of m1, percent a year
        ==================== ======================================================================

    Notes
    -----
    In 1959Q1 the growth rates are NaN, because they have no earlier quarter. statsmodels gives
    ``infl`` and ``realint`` there as zero; here they are NaN too, so that no invented value enters
    an estimation.

    Examples
    --------
    >>> macro = load_macro()
    >>> macro.index[[0, -1]].astype(str).tolist()
    ['1959Q1', '2009Q3']
    >>> macro.loc["1984", ["growth", "infl", "unemp"]].round(1)  # doctest: +NORMALIZE_WHITESPACE
            growth  infl  unemp
    quarter
    1984Q1      7.7   4.7    7.9
    1984Q2      6.8   3.1    7.5
    1984Q3      3.9   3.8    7.4
    1984Q4      3.2   2.3    7.3
    """
    # statsmodels reads its data sets when asked, and importing it costs a second
    from statsmodels.datasets import macrodata

    raw = macrodata.load_pandas().data
    quarters = raw["year"].astype(int).astype(str) + "Q" + raw["quarter"].astype(int).astype(str)
    frame = raw.drop(columns=["year", "quarter"])
    frame.index = pd.PeriodIndex(quarters, freq="Q", name="quarter")
    frame.loc[frame.index[0], ["infl", "realint"]] = np.nan
    rates = {
        "growth": "realgdp",
        "consumption_growth": "realcons",
        "investment_growth": "realinv",
        "income_growth": "realdpi",
        "money_growth": "m1",
    }
    for name, level in rates.items():
        frame[name] = 400.0 * np.log(frame[level]).diff()
    return frame
