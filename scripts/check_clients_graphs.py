"""Opens every ONNX graph of a folder with the onnxruntime of this Python.

check_clients_graphs.py <folder>
"""

import pathlib
import sys

import onnxruntime

graphs = sorted(pathlib.Path(sys.argv[1]).rglob("*.onnx"))
for graph in graphs:
    onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
if not graphs:
    sys.exit(f"{sys.argv[1]}: no graph")
print(f"onnxruntime {onnxruntime.__version__} opens {len(graphs)} graphs")
