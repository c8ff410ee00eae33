"""Text in pieces, cut anywhere."""

from hypothesis import given
from hypothesis import strategies as st

from meanwhile.providers.surrogates import Healer, healed

UNITS = st.text(st.characters(exclude_categories=()), max_size=8) | st.sampled_from(["a\ud83d", "\ude00b"])


@given(st.text(max_size=20), st.data())
def test_a_text_cut_between_any_two_utf16_units_is_whole_again(text: str, data: st.DataObject) -> None:
    """JavaScript servers cut strings where they like."""
    units = text.encode("utf-16-le")
    pieces = [units[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(units), 2)]
    cut = data.draw(st.integers(0, len(pieces)))
    healer = Healer()

    seen = healer.feed("".join(pieces[:cut])) + healer.feed("".join(pieces[cut:])) + healer.rest()

    assert seen == text


@given(st.lists(UNITS))
def test_whatever_comes_in_what_goes_out_can_be_encoded(pieces: list[str]) -> None:
    """A lone half would fail much later, where the answer is stored."""
    healer = Healer()

    for seen in [*map(healer.feed, pieces), healer.rest(), healed("".join(pieces))]:
        seen.encode()
