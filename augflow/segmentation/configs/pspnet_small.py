"""PSPNet for small photographs on a processor.

A ResNet-18 of three stages and half the width at 1/4 of the resolution; the Lovasz loss beside the
cross-entropy stands in for the class IoU that is scored.
"""

norm_cfg = dict(type="BN", requires_grad=True)
data_preprocessor = dict(
    type="SegDataPreProcessor",
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255,
)
model = dict(
    type="EncoderDecoder",
    data_preprocessor=data_preprocessor,
    backbone=dict(
        type="ResNetV1c",
        depth=18,
        num_stages=3,
        stem_channels=32,
        base_channels=32,
        out_indices=(0, 1, 2),
        strides=(1, 1, 1),
        dilations=(1, 2, 4),
        norm_cfg=norm_cfg,
        norm_eval=False,
        style="pytorch",
        contract_dilation=True,
    ),
    decode_head=dict(
        type="PSPHead",
        in_channels=128,
        in_index=2,
        channels=64,
        pool_scales=(1, 2, 3, 6),
        dropout_ratio=0.1,
        num_classes=19,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=[
            dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),
            dict(
                type="LovaszLoss",
                loss_type="multi_class",
                classes="present",
                per_image=False,
                reduction="none",
                loss_weight=0.5,
            ),
        ],
    ),
    auxiliary_head=dict(
        type="FCNHead",
        in_channels=64,
        in_index=1,
        channels=32,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=19,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=0.4),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole"),
)
