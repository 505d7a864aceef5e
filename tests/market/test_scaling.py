"""The scaler: fitted once on train rows, the same everywhere, never a division by nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from intraday_rl.errors import ConfigError, DataError, ModelError
from intraday_rl.market.features import Features, SessionAnchor
from intraday_rl.market.scaling import FeatureSchema, Scaler

NAMES = ("trend", "atr", "flag", "time_to_cutoff")
CLIP = 3.0


def rows(count: int = 400, seed: int = 3) -> NDArray[np.float64]:
    """A wide, a tiny, a constant and a 0 to 1 column."""
    generator = np.random.default_rng(seed)
    wide, tiny = generator.normal(5.0, 20.0, count), generator.normal(1e-5, 1e-7, count)
    return np.column_stack([wide, tiny, np.full(count, 0.1), np.linspace(0.0, 1.0, count)])


def fitted() -> Scaler:
    return Scaler.fit(rows(), NAMES, CLIP)


def test_scaled_train_rows_are_centred_with_unit_spread() -> None:
    scaled = Scaler.fit(rows(), NAMES, 50.0).transform(rows())
    assert scaled[:, :2].mean(axis=0) == pytest.approx(0.0, abs=1e-5)
    assert scaled[:, :2].std(axis=0) == pytest.approx(1.0, abs=1e-5)


def test_the_time_column_passes_unscaled() -> None:
    assert np.array_equal(fitted().transform(rows())[:, 3], rows()[:, 3].astype(np.float32))
    assert fitted().unscaled == ("time_to_cutoff",)


def test_a_constant_column_is_named_and_never_magnified() -> None:
    scaler = fitted()
    assert scaler.constant == ("flag",)
    assert scaler.scale[2] == 1.0
    moved = rows()[0]
    moved[2] += 1e-3
    assert scaler.transform(rows())[:, 2].tolist() == [0.0] * 400
    assert scaler.transform(moved)[2] == np.float32(1e-3)


def test_a_column_that_differs_by_rounding_alone_is_constant() -> None:
    values = np.full((100, 1), 0.3)
    values[::2] = 0.1 + 0.2
    assert values.std() > 0.0
    scaler = Scaler.fit(values, ["flag"], CLIP)
    assert scaler.constant == ("flag",)
    assert np.abs(scaler.transform(values)).max() < 1e-15


@given(
    values=arrays(np.float64, (6, 4), elements=st.floats(-1e12, 1e12)),
    seen=arrays(np.float64, (3, 4), elements=st.floats(-1e12, 1e12)),
    clip=st.floats(1e-3, 50.0),
)
def test_a_scaled_value_never_leaves_the_clip(
    values: NDArray[np.float64], seen: NDArray[np.float64], clip: float
) -> None:
    scaled = Scaler.fit(values, NAMES, clip).transform(seen)
    assert scaled.dtype == np.float32
    assert scaled.flags.c_contiguous
    assert (np.abs(scaled.astype(np.float64)) <= clip).all()


def test_rows_of_the_test_span_cannot_reach_the_scaler() -> None:
    table = rows(600)
    train = np.arange(600) < 400
    before = Scaler.fit(table[train], NAMES, CLIP)
    table[~train] *= -1e6
    after = Scaler.fit(table[train], NAMES, CLIP)
    assert before.as_dict() == after.as_dict()
    assert np.abs(after.transform(table)).max() <= CLIP
    table[0, 0] += 1.0
    assert Scaler.fit(table[train], NAMES, CLIP).hash() != before.hash()


def test_one_observation_gives_the_bits_of_the_table_for_train_test_and_live() -> None:
    table = rows(50, seed=9)
    scaler = fitted()
    reloaded = Scaler.from_dict(json.loads(json.dumps(scaler.as_dict())))
    whole = scaler.transform(table)
    live = np.stack([reloaded.transform(observation) for observation in table])
    assert live.tobytes() == whole.tobytes()
    assert scaler.transform(np.asfortranarray(table)).tobytes() == whole.tobytes()


def test_a_fitted_scaler_cannot_be_changed() -> None:
    scaler = fitted()
    with pytest.raises(ValueError, match="read-only"):
        scaler.centre[0] = 0.0


@given(values=arrays(np.float64, (5, 4), elements=st.floats(-1e9, 1e9)))
def test_a_saved_scaler_reads_back_exactly(values: NDArray[np.float64]) -> None:
    scaler = Scaler.fit(values, NAMES, CLIP)
    again = Scaler.from_dict(json.loads(json.dumps(scaler.as_dict())))
    assert again.as_dict() == scaler.as_dict()
    assert again.centre.tobytes() == scaler.centre.tobytes()
    assert again.scale.tobytes() == scaler.scale.tobytes()
    assert again.hash() == scaler.hash()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("names", None),
        ("centre", "text"),
        ("centre", [0.0]),
        ("scale", [1.0, 1.0, 0.0, 1.0]),
        ("scale", [1.0, 1.0, float("nan"), 1.0]),
        ("clip", None),
    ],
)
def test_a_malformed_saved_scaler_is_refused(key: str, value: object) -> None:
    saved = fitted().as_dict() | {key: value}
    with pytest.raises(ModelError, match=r"scale|clip|names|centre"):
        Scaler.from_dict(saved)


def test_a_clip_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ConfigError, match="clip"):
        Scaler.fit(rows(), NAMES, 0.0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused_by_name_and_row(value: float) -> None:
    broken = rows()
    broken[7, 1] = value
    with pytest.raises(DataError, match=r"atr is (nan|inf) in row 7"):
        Scaler.fit(broken, NAMES, CLIP)
    with pytest.raises(DataError, match=r"atr is (nan|inf) in row 7"):
        fitted().transform(broken)
    with pytest.raises(DataError, match="atr"):
        fitted().transform(broken[7])


def test_no_rows_to_fit_on_are_refused() -> None:
    with pytest.raises(DataError, match="no rows"):
        Scaler.fit(rows()[:0], NAMES, CLIP)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("trend", "flag", "atr", "time_to_cutoff"), "column 1 is flag, expected atr"),
        (NAMES[:3], "column 3 is missing, expected time_to_cutoff"),
        ((*NAMES, "extra"), "column 4 is extra, expected no further column"),
    ],
)
def test_other_columns_are_refused_with_the_first_difference(
    names: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        fitted().transform(rows(), names)


def test_another_width_is_refused() -> None:
    with pytest.raises(ModelError, match="4 columns"):
        fitted().transform(rows()[:, :3])


def test_a_schema_accepts_itself_after_a_round_trip() -> None:
    schema = FeatureSchema.of(NAMES, Features())
    again = FeatureSchema.from_dict(json.loads(json.dumps(schema.as_dict())))
    schema.check(again)
    assert again.hash() == schema.hash()


def test_a_schema_names_the_first_column_or_setting_that_differs() -> None:
    schema = FeatureSchema.of(NAMES, Features())
    with pytest.raises(ModelError, match="column 0 is atr, expected trend"):
        schema.check(FeatureSchema.of(("atr", "trend", *NAMES[2:]), Features()))
    with pytest.raises(ModelError, match=r"features\.atr_bars=20: .* trained with 14"):
        schema.check(FeatureSchema.of(NAMES, Features(atr_bars=20)))


def test_the_schema_hash_follows_names_order_and_settings() -> None:
    hashes = {
        FeatureSchema.of(NAMES, Features()).hash(),
        FeatureSchema.of(NAMES[::-1], Features()).hash(),
        FeatureSchema.of(NAMES[:3], Features()).hash(),
        FeatureSchema.of(NAMES, Features(return_bars=[1, 4, 8])).hash(),
        FeatureSchema.of(NAMES, Features(session_anchor_price=SessionAnchor.open)).hash(),
    }
    assert len(hashes) == 5
    assert FeatureSchema.of(NAMES, Features(clip=2.0)).hash() in hashes
