"""k-means over frames."""

from __future__ import annotations

import numpy as np


def kmeans(
    frames: np.ndarray, num_clusters: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Cluster frames.

    Args:
        frames: (N, D), neither scaled nor whitened here.
        num_clusters: Clusters V; some may stay empty.
        seed: Of the initialisation and of the batches.

    Returns:
        (V, D) centroids and (N,) the cluster of every frame.

    Raises:
        ValueError: If there are fewer frames than clusters.
    """
    # Imported here: it takes seconds, and encoding needs none of it.
    from sklearn.cluster import MiniBatchKMeans

    if len(frames) < num_clusters:
        raise ValueError(
            f"k-means: expected at least {num_clusters} frames, found {len(frames)}; "
            "use more utterances or fewer clusters"
        )
    model = MiniBatchKMeans(
        num_clusters, batch_size=1024, n_init=1, max_iter=20, random_state=seed
    )
    units = model.fit_predict(frames)
    return model.cluster_centers_, units
