"""Units of frames: clusters of the states by k-means."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import MiniBatchKMeans

MOST_CLUSTERS = 1024
FRAMES_PER_CLUSTER = 300


def choose_clusters(num_frames: int) -> int:
    """The largest power of two with 300 frames per cluster or more, 2 to 1,024.

    The paper's 1,024 need 307,200 frames, 1.7 hours at 50 Hz. With more clusters than
    this, the table of units and labels is so sparse that its plug-in and its held-out
    information are far apart.
    """
    wanted = max(num_frames // FRAMES_PER_CLUSTER, 2)
    return min(2 ** (wanted.bit_length() - 1), MOST_CLUSTERS)


def assign_units(states: np.ndarray, num_clusters: int, seed: int = 0) -> np.ndarray:
    """Cluster frames by k-means and return the cluster of each.

    Args:
        states: (N, D), as they are: neither scaled nor whitened.
        num_clusters: Clusters; some may stay empty.
        seed: Of the start and of the batches.

    Raises:
        ValueError: If there are fewer frames than clusters.
    """
    if len(states) < num_clusters:
        raise ValueError(
            f"k-means: expected at least {num_clusters} frames, found {len(states)}; "
            "use more utterances or fewer clusters"
        )
    kmeans = MiniBatchKMeans(
        num_clusters, batch_size=1024, n_init=1, max_iter=20, random_state=seed
    )
    return kmeans.fit_predict(states)
