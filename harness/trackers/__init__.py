"""Trackers of training runs: TensorBoard, Weights & Biases, trackio, MLflow. One file for each."""
