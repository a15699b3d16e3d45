"""Asks a folder of `export --layout onnxruntime-genai` by the package onnxruntime-genai; prints the greedy ids as JSON.

check_clients_genai.py <folder> <picture, or -> <question> <ids> [<config of another variant>]
"""

import json
import sys

import onnxruntime_genai as og

folder, picture, question, count = sys.argv[1:5]
config = og.Config(folder)
if len(sys.argv) > 5:
    with open(f"{folder}/{sys.argv[5]}") as overlay:
        config.overlay(overlay.read())
model = og.Model(config)
processor = model.create_multimodal_processor()
tokenizer = og.Tokenizer(model)
content = [{"type": "image"}] if picture != "-" else []
messages = [{"role": "user", "content": content + [{"type": "text", "text": question}]}]
prompt = tokenizer.apply_chat_template(json.dumps(messages), add_generation_prompt=True)
inputs = processor(prompt, images=og.Images.open(picture) if picture != "-" else None)

parameters = og.GeneratorParams(model)
parameters.set_search_options(max_length=2048, do_sample=False)
generator = og.Generator(model, parameters)
generator.set_inputs(inputs)
ids = []
while len(ids) < int(count) and not generator.is_done():
    generator.generate_next_token()
    ids.append(int(generator.get_next_tokens()[0]))
print(json.dumps({"prompt": prompt, "ids": ids, "text": tokenizer.decode(ids)}))
