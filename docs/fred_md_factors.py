"""Factors of FRED-MD: numbers of factors, what each explains, autoencoder and PCA.

    python docs/fred_md_factors.py fred-md.csv

Samples begin in 1960; eight factors, as McCracken and Ng (2016) have.
"""

import sys

import nnecon as ne


def main(path: str) -> None:
    """Print the tables of docs/factors.md."""
    panel = ne.datasets.read_fred_md(path).iloc[2:]
    groups = ne.datasets.describe_fred_md(path)["group"]
    for last in ("2014-12", "2019-12", "2023-09"):
        sample = panel.loc["1960":last]
        numbers = ne.AutoencoderFactor(sample, "PC_p2", max_factors=8).numbers
        print(last, sample.shape, numbers.idxmin().to_dict())
        linear = ne.AutoencoderFactor(sample, 8, hidden=()).fit()
        print(linear.variance_explained().mean().round(3).tolist(), linear.rsquare.iloc[-1])
        if last == "2014-12":
            print(linear.top_series(10).xs("series", axis=1, level=1).T.to_string())
            continue
        results = ne.AutoencoderFactor(sample, 8, hidden=8).fit()
        print(results.path.to_frame().round(4).to_string())
        print(results.compare())
        print(results.reconstruction(groups).round(3).to_string())


if __name__ == "__main__":
    main(sys.argv[1])
