"""Status of an answer: time, real-time factor, warnings."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import espnet_uniwav
from espnet_uniwav.lab.demo.model_loader import Models

PACKAGE = Path(espnet_uniwav.__file__).parent


class Stopwatch(logging.Handler):
    """A context that measures the time and collects our warnings.

    Args:
        models: The seconds of loading one of them are counted separately.
    """

    def __init__(self, models: Models):
        super().__init__(logging.WARNING)
        self.models, self.warnings = models, []
        self.spent = self.loading = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a warning of this package."""
        if Path(record.pathname).is_relative_to(PACKAGE):
            self.warnings.append(record.getMessage())

    def __enter__(self) -> Stopwatch:
        self._start, self._loaded = time.perf_counter(), self.models.loading
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *error) -> None:
        logging.getLogger().removeHandler(self)
        self.loading = self.models.loading - self._loaded
        self.spent = time.perf_counter() - self._start - self.loading

    def report(self, seconds: float) -> str:
        """Time in a sentence, then the warnings.

        Args:
            seconds: Of the speech that was written; 0: none.
        """
        text = f"{self.spent:.2f} s of computing"
        if seconds:
            text += (
                f" for {seconds:.2f} s of speech: real-time factor "
                f"{self.spent / seconds:.2f}"
            )
        if self.loading:
            text += f"; before that, {self.loading:.1f} s to load the model"
        return "\n\n".join([f"{text}.", *(f"Note: {own}" for own in self.warnings)])
