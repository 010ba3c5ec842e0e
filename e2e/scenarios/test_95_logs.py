"""What operators said while everything else passed: an error that no scenario provokes is a fault that nobody looked at."""
import pytest

pytestmark = pytest.mark.needs("helm")


def test_no_operator_logged_an_error_that_nobody_expects(operator_logs):
    errors = operator_logs.unexpected_errors()
    assert not errors, "\n".join(errors)
