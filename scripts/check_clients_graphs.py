"""Opens every ONNX graph of a folder with the onnxruntime of this Python, but those whose name ends with the suffix.

check_clients_graphs.py <folder> [<suffix>]
"""

import pathlib
import sys

import onnxruntime

left_out = sys.argv[2] if len(sys.argv) > 2 else None
graphs = sorted(path for path in pathlib.Path(sys.argv[1]).rglob("*.onnx") if not (left_out and path.stem.endswith(left_out)))
for graph in graphs:
    onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
if not graphs:
    sys.exit(f"{sys.argv[1]}: no graph")
print(f"onnxruntime {onnxruntime.__version__} opens {len(graphs)} graphs" + (f", not asked for *{left_out}" if left_out else ""))
