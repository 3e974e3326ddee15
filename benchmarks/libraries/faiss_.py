"""faiss: K-means in float32; spherical centroids are nearest by signed products."""

import faiss
import numpy as np

DISTRIBUTION = "faiss-cpu"


def kmeans(problem, n_jobs, epochs, spherical):
    faiss.omp_set_num_threads(n_jobs)
    model = faiss.Kmeans(
        problem.X.shape[1],
        problem.n_components,
        niter=epochs,
        nredo=1,
        spherical=spherical,
        # All rows, however few or many they are.
        min_points_per_centroid=1,
        max_points_per_centroid=10**9,
    )
    start = np.ascontiguousarray(problem.atoms, dtype=np.float32)
    model.train(problem.X, init_centroids=start)
    return model.centroids
