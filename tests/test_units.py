import pytest

from netlab.units import Duration, milliseconds, parse_percentage, parse_rate


@pytest.mark.parametrize(
    ("text", "ns"),
    [("200ms", 200_000_000), ("1.5s", 1_500_000_000), (" 10 us ", 10_000), ("7ns", 7), ("2min", 120_000_000_000), ("0s", 0)],
)
def test_a_duration_is_whole_nanoseconds(text: str, ns: int) -> None:
    assert Duration.parse(text) == Duration(ns)


def test_a_duration_is_written_in_its_largest_unit() -> None:
    assert [str(each) for each in (Duration(7), milliseconds(0.5), milliseconds(1500), Duration(0))] == [
        "7ns",
        "500us",
        "1.5s",
        "0ns",
    ]


@pytest.mark.parametrize("text", ["", "5", "ms", "-1ms", "1h", "1,5s", "1e3s", "٣ms", "9" * 400 + "s", "0." + "9" * 400 + "s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration: a number and a unit"):
        Duration.parse(text)


@pytest.mark.parametrize(
    ("text", "bits"),
    [("10mbit", 10**7), ("1.5gbit", 15 * 10**8), ("500kbit", 500_000), ("64 Kbit", 64_000), ("9bit", 9), ("0.0015kbit", 2)],
)
def test_a_rate_is_bits_a_second(text: str, bits: int) -> None:
    assert parse_rate(text) == bits


@pytest.mark.parametrize("text", ["", "10", "mbit", "10mbps", "10mb", "10 mbit/s", "-1mbit", "1e3bit", "9" * 400 + "bit"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="is not a rate: a number and a unit"):
        parse_rate(text)


@pytest.mark.parametrize(("text", "fraction"), [("0.1%", 0.001), ("0.7%", 0.007), ("100%", 1.0), ("0%", 0.0), (" 2.5 % ", 0.025)])
def test_a_percentage_is_the_nearest_fraction(text: str, fraction: float) -> None:
    assert parse_percentage(text) == fraction


@pytest.mark.parametrize("text", ["", "0.001", "%", "-1%", "1%%", "one%", "9" * 400 + "%"])
def test_what_is_no_percentage(text: str) -> None:
    with pytest.raises(ValueError, match="is not a percentage: a number and %"):
        parse_percentage(text)
