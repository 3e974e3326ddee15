"""Features of images and of bags of descriptors, and whitening."""

from sparselearn.feature_extraction._bag_encoder import BagEncoder
from sparselearn.feature_extraction._patch_encoder import PatchEncoder
from sparselearn.feature_extraction._zca_whitening import ZCAWhitening

__all__ = ["BagEncoder", "PatchEncoder", "ZCAWhitening"]
