"""The operators that a TorchScript program may call: arithmetic on tensors and numbers, and nothing that acts."""

from __future__ import annotations

_LAYERS = """
    conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution _convolution _convolution_mode
    linear matmul mm bmm baddbmm addmm addbmm addcmul addcdiv einsum tensordot dot mv outer embedding one_hot
    batch_norm group_norm layer_norm native_layer_norm native_group_norm instance_norm rms_norm norm linalg_vector_norm
    linalg_norm normalize frobenius_norm dropout feature_dropout
    relu relu6 leaky_relu elu selu celu gelu silu mish softplus hardtanh hardswish hardsigmoid
    sigmoid log_sigmoid tanh softmax _softmax log_softmax _log_softmax softmin glu prelu threshold
    scaled_dot_product_attention _native_multi_head_attention
    _transformer_encoder_layer_fwd _weight_norm bilinear cross_entropy_loss bernoulli mode
    avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d adaptive_avg_pool1d adaptive_avg_pool2d
    adaptive_avg_pool3d adaptive_max_pool2d
    interpolate upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d
    _upsample_nearest_exact2d _upsample_nearest_exact3d upsample_bilinear2d upsample_bicubic2d upsample_linear1d
    upsample_trilinear3d _upsample_bilinear2d_aa _upsample_bicubic2d_aa _upsample_lanczos2d_aa
    pad constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d
    replication_pad3d _pad_circular _pad_enum pixel_shuffle pixel_unshuffle unfold im2col col2im channel_shuffle
"""
_ARITHMETIC = """
    add sub rsub mul div floordiv floor_divide true_divide remainder fmod pow square sqrt rsqrt
    reciprocal exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan atan2 sinh cosh asinh acosh atanh erf erfinv
    abs neg sign signbit floor ceil round trunc frac clamp clamp_min clamp_max
    clip lerp maximum minimum max min amax amin aminmax argmax argmin sum mean var std var_mean std_mean prod
    cumsum cumprod cummax cummin logsumexp median sort argsort topk unique_dim bucketize searchsorted
    eq ne lt le gt ge equal isnan isinf isfinite logical_and logical_or logical_not logical_xor bitwise_and bitwise_or
    bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift any all where masked_fill nan_to_num
    cdist pairwise_distance cosine_similarity cross_entropy mse_loss l1_loss nll_loss kl_div binary_cross_entropy
    __and__ __or__ __xor__ __not__ __lshift__ __rshift__ __is__ __isnot__ __contains__ __getitem__ __derive_index
    __range_length degrees radians
"""
_SHAPES = """
    size dim numel len stride shape storage_offset view view_as reshape reshape_as flatten unflatten squeeze
    unsqueeze permute transpose t movedim swapaxes swapdims contiguous expand expand_as
    broadcast_to broadcast_tensors repeat repeat_interleave tile chunk split split_with_sizes tensor_split unbind select
    slice narrow index index_put index_select gather scatter scatter_add take take_along_dim masked_select cat
    concat concatenate stack hstack vstack dstack flip fliplr flipud roll rot90 diagonal diag tril triu meshgrid
    cartesian_prod nonzero nonzero_numpy count_nonzero T mT H clone detach alias
    zeros zeros_like ones ones_like full full_like empty empty_like new_zeros new_ones new_full new_empty arange
    fill zero _set_item linspace eye tensor scalar_tensor as_tensor
    to type_as float double half bfloat16 int long bool cpu contiguous is_floating_point is_complex item
    grid_sampler grid_sampler_2d affine_grid_generator
"""
_VALUES = """
    Int Float Bool FloatImplicit IntImplicit ScalarImplicit Complex ComplexImplicit list append extend insert pop
    reverse copy keys values items get setdefault update clear remove count sorted index format str ord strip lower
    upper startswith endswith join replace split find dict floor ceil sqrt factorial gcd hash is_tensor
    __round_to_zero_floordiv _infer_size device dtype layout
"""
_QUESTIONS = """
    warn is_autocast_enabled is_autocast_cpu_enabled is_grad_enabled is_floating_point get_device
"""
_PRIMITIVES = """
    RaiseException NumToTensor data device dtype layout shape is_cuda is_cpu requires_grad unchecked_unwrap_optional
    TupleIndex TupleUnpack ListUnpack min max abs itemsize ndim T mT unchecked_cast isinstance type is_quantized
    is_sparse is_meta is_mps is_nested rangelist
"""
_NAMES = """
    int float bool complex str len range tuple list dict zip enumerate min max abs round isinstance annotate
    unchecked_cast uninitialized getattr hasattr inf nan infj nanj rangelist
"""

_PLAIN = f"{_LAYERS} {_ARITHMETIC} {_SHAPES} {_VALUES} {_QUESTIONS}".split()

ATEN = frozenset([*_PLAIN, *(f"{name}_" for name in _PLAIN)])  # also in place
PRIM = frozenset(_PRIMITIVES.split())
BUILTINS = frozenset(_NAMES.split())
