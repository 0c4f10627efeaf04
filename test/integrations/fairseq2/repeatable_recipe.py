"""The recipe from the weights and draws of ``pretraining_case``; same arguments."""

import os

import pretraining_case as case
from fairseq2.recipe import main

from espnet_uniwav.integrations.fairseq2.recipe import PretrainRecipe


class RepeatableRecipe(PretrainRecipe):
    """The recipe from a fixed initial model."""

    def setup_model(self, context, model, newly_initialized):
        """Set the weights and the draws once."""
        model = super().setup_model(context, model, newly_initialized)
        if newly_initialized:
            model.load_state_dict(case.make_model().state_dict())
        rank = int(os.environ.get("RANK", 0))
        case.seed_first_step(model, model.dinosr.codebooks, rank)
        return model


if __name__ == "__main__":
    main(RepeatableRecipe())
