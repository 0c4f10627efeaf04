import pytest
import yaml
from factories import make_features

from espnet_uniwav.core.features import FeatureSpec, build_features, check_spec


def test_spec_survives_yaml():
    spec = make_features(mean=[0.5] * 12).spec
    text = yaml.safe_dump(spec.to_dict())
    assert FeatureSpec.from_dict(yaml.safe_load(text)) == spec


def test_spec_rebuilds_its_features():
    spec = make_features(frame_rate=100, floor=1e-4, mean=-3.0).spec
    rebuilt = build_features(spec.name, **spec.conf, mean=list(spec.mean))
    assert rebuilt.spec == spec


def test_mismatch_names_every_field_and_both_values():
    left = make_features(frame_rate=50, mean=-5.0).spec
    right = make_features(frame_rate=100, mean=-6.0).spec
    with pytest.raises(ValueError) as error:
        check_spec(left, right, "the file")
    text = str(error.value)
    assert text.startswith("the file: the features do not match")
    assert "hop_length: expected 320, found 160" in text
    assert "mean: expected [-5.0], found [-6.0]" in text
    assert "Use the feature configuration" in text
    assert "std" not in text


def test_equal_specs_pass():
    check_spec(make_features().spec, make_features().spec, "the file")


def test_unknown_features_are_named():
    with pytest.raises(ValueError, match=r"unknown features 'mfcc'.*log_mel"):
        build_features("mfcc")
