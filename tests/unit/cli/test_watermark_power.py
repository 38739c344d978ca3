"""`evalkit watermark power`."""

import json

from click.testing import CliRunner

from evalkit.cli.watermark_power import power


def test_table_says_power_codes_needed_and_that_it_is_an_upper_bound() -> None:
    done = CliRunner().invoke(power, ["--tokens", "256", "--delta", "2"], env={"COLUMNS": "120"})
    assert done.exit_code == 0
    for said in ("256 distinct codes", "green share", "0.881", "normal approximation", "Upper bounds"):
        assert said in done.output


def test_json_holds_every_row_and_hard_bias_is_inf() -> None:
    done = CliRunner().invoke(
        power, ["--tokens", "30", "--delta", "inf", "--fpr", "1e-6", "--match", "1", "--match", "0.5", "--json"]
    )
    rows = json.loads(done.output)["rows"]
    assert [row["match"] for row in rows] == [1, 0.5]
    assert rows[0]["delta"] == "inf"
    assert rows[0]["power"] == 1
    assert rows[0]["tokens_needed"] == 20


def test_out_of_reach_is_said() -> None:
    done = CliRunner().invoke(
        power, ["--tokens", "19", "--delta", "4", "--fpr", "1e-6", "--match", "1"], env={"COLUMNS": "120"}
    )
    assert "out of reach" in done.output


def test_the_green_share_that_embedding_tells_may_stand_for_delta() -> None:
    done = CliRunner().invoke(power, ["--tokens", "64", "--green", "0.9", "--match", "1", "--fpr", "1e-3", "--json"])
    (row,) = json.loads(done.output)["rows"]
    assert abs(row["green_share"] - 0.9) < 1e-9
    assert row["power"] > 0.99
    for wrong in ([], ["--delta", "2", "--green", "0.9"], ["--green", "0.4"], ["--green", "1.1"]):
        assert CliRunner().invoke(power, ["--tokens", "64", *wrong]).exit_code != 0
