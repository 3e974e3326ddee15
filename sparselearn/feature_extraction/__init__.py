"""Features of images and of sets of descriptors, and whitening."""

from sparselearn.feature_extraction._patch_encoder import PatchEncoder
from sparselearn.feature_extraction._zca_whitening import ZCAWhitening

__all__ = ["PatchEncoder", "ZCAWhitening"]
