"""A study that samples and measures a checkpoint which was imported as `theirs`."""

STUDY = """\
study: foreign
title: A foreign checkpoint
data: {name: glyphs, image_size: 8, channels: 1, train_images: 64}
reference: {extractor: glyphs-cnn, extractor_images: 100, extractor_steps: 4, images: 60}
evaluations:
  final: {sampling_steps: 2, samples: 40, split_size: 40, batch_size: 20}
model: {checkpoint: theirs}
dispatch: {executor: local, device: cpu, workers: 1, threads: 1}
report: {sections: [headline, models, provenance]}
profiles: {laptop: {}}
"""
