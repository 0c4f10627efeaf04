"""Number of k-means units for a corpus."""

from __future__ import annotations

MOST_CLUSTERS = 1024
FRAMES_PER_CLUSTER = 300


def choose_clusters(num_frames: int) -> int:
    """Choose the largest power of two, 2 to 1,024, with 300 frames per cluster.

    The paper's 1,024 need 307,200 frames, 1.7 hours at 50 Hz. With more clusters than
    this, the table of units and labels is so sparse that its plug-in and its held-out
    information are far apart.
    """
    wanted = max(num_frames // FRAMES_PER_CLUSTER, 2)
    return min(2 ** (wanted.bit_length() - 1), MOST_CLUSTERS)
