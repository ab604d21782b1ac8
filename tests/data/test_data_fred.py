"""FRED's web interface, played by a local server with answers in the documented format."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlparse

import numpy as np
import pandas as pd
import pytest

import nnecon as ne
from nnecon.data import fred as module
from nnecon.exceptions import DataError, SpecificationError

KEY = "abcdefghijklmnopqrstuvwxyz123456"
ANSWERS = json.loads(Path(__file__).with_name("fred_responses.json").read_text())


class Fred(BaseHTTPRequestHandler):
    """Answers as FRED does: by key, by series, and by what is asked."""

    asked: ClassVar[list[dict[str, str]]] = []
    status = 0

    def do_GET(self):
        parts = urlparse(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        type(self).asked.append(query)
        name = f"{parts.path.removeprefix('/fred/')}?{query['series_id']}"
        if query.get("frequency") == "q":
            name += "&q"
        status, answer = 200, ANSWERS.get(name)
        if query["api_key"] != KEY:
            status, answer = 400, ANSWERS["bad key"]
        elif answer is None:
            status, answer = 400, ANSWERS["bad series"]
        status = self.status or status
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"<html>" if self.status else json.dumps(answer).encode())

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    Fred.asked, Fred.status = [], 0
    with HTTPServer(("127.0.0.1", 0), Fred) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        monkeypatch.setattr(module, "ADDRESS", f"http://127.0.0.1:{running.server_port}/fred/")
        monkeypatch.delenv("FRED_API_KEY", raising=False)
        yield Fred
        running.shutdown()
        thread.join()


def test_months_with_missing_values(server):
    found = ne.datasets.fred("unrate", KEY, start="2009-08-01")
    months = pd.period_range("2009-08", "2009-11", freq="M", name="month")
    expected = pd.DataFrame({"unrate": [9.7, np.nan, 10.2, 10.0]}, months)
    pd.testing.assert_frame_equal(found, expected.set_axis(["unrate"], axis=1))
    assert found.attrs["labels"] == {"unrate": "Civilian Unemployment Rate, Percent"}
    last = server.asked[-1]
    assert last["file_type"] == "json" and last["observation_start"] == "2009-08-01"
    assert last["series_id"] == "UNRATE" and "frequency" not in last


def test_columns_frequencies_and_vintages(server, monkeypatch):
    monkeypatch.setenv("FRED_API_KEY", KEY)
    found = ne.datasets.fred({"gdp": "GDPC1"}, vintage="2010-01-04")
    assert list(found.columns) == ["gdp"] and found.index.freqstr.startswith("Q")
    assert found.loc["2009Q3", "gdp"] == 12990.341
    assert {each["realtime_end"] for each in server.asked} == {"2010-01-04"}
    with pytest.raises(DataError, match=r"'GDPC1' q, 'UNRATE' m.*frequency='q'"):
        ne.datasets.fred(["GDPC1", "UNRATE"])
    both = ne.datasets.fred(["GDPC1", "UNRATE"], frequency="q", aggregation="eop")
    assert both.loc["2009Q4", "UNRATE"] == 10.0 and np.isnan(both.loc["2009Q4", "GDPC1"])
    assert server.asked[-1]["frequency"] == "q"
    assert server.asked[-1]["aggregation_method"] == "eop"
    assert both.index.freqstr.startswith("Q")
    days = ne.datasets.fred("DGS10", units="chg")
    assert isinstance(days.index, pd.DatetimeIndex) and days.index.name == "date"
    assert days.attrs["labels"]["DGS10"].endswith(", chg")


def test_refusals_are_told_without_the_key(server):
    wrong = "k" * 32
    with pytest.raises(DataError, match=r"does not take the key.*not registered") as caught:
        ne.datasets.fred("UNRATE", wrong)
    assert wrong not in str(caught.value) and caught.value.__cause__ is None
    with pytest.raises(DataError, match="no series 'NOTHING'"):
        ne.datasets.fred("NOTHING", KEY)
    server.status = 429
    with pytest.raises(DataError, match="wait a minute"):
        ne.datasets.fred("UNRATE", KEY)
    server.status = 500
    with pytest.raises(DataError, match="status 500: no reason given"):
        ne.datasets.fred("UNRATE", KEY)
    server.status = 200
    with pytest.raises(DataError, match="no JSON"):
        ne.datasets.fred("UNRATE", KEY)


def test_without_a_connection(monkeypatch):
    monkeypatch.setattr(module, "ADDRESS", "http://127.0.0.1:9/fred/")
    with pytest.raises(DataError, match="cannot be reached for 'UNRATE'") as caught:
        ne.datasets.fred("UNRATE", KEY, timeout=2)
    assert KEY not in str(caught.value)


def test_arguments_are_checked_before_anything_is_sent(server):
    with pytest.raises(SpecificationError, match="FRED_API_KEY"):
        ne.datasets.fred("UNRATE")
    for options, words in (
        ({"frequency": "M"}, "frequency='M'"),
        ({"units": "percent"}, "units='percent'"),
        ({"aggregation": "mean"}, "aggregation='mean'"),
        ({"start": "soon"}, "start='soon'"),
    ):
        with pytest.raises(SpecificationError, match=words):
            ne.datasets.fred("UNRATE", KEY, **options)
    with pytest.raises(SpecificationError, match="at least one"):
        ne.datasets.fred([], KEY)
    assert server.asked == []
