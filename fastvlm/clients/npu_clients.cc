#include "fastvlm/clients/npu_clients.h"

namespace fastvlm::clients {

const char* const kPythonClient = R"client("""Answers a question about a picture on the NPU:  python3 client.py PICTURE QUESTION
Run it in this folder. Needs onnxruntime, onnxruntime-qnn, numpy, pillow and tokenizers."""
import sys
import numpy as np, onnxruntime as ort, onnxruntime_qnn as qnn
from PIL import Image
from tokenizers import Tokenizer

ort.register_execution_provider_library("QNNExecutionProvider", qnn.get_library_path())
device = next(d for d in ort.get_ep_devices() if d.ep_name == "QNNExecutionProvider")

def opened(file):
    options = ort.SessionOptions()
    options.add_provider_for_devices([device], {"backend_path": qnn.get_qnn_htp_path()})
    return ort.InferenceSession(file, options)

decoders = [opened(file) for file in [@DECODERS@]]  # for many new tokens … for one
context, position = @CONTEXT@, 0
cache = {f"past_{kind}_{i}": np.zeros(shape, np.float32) for i in range(@LAYERS@)
         for kind, shape in (("key", (@KV@, 1, @D@, context)), ("value", (@KV@, 1, context, @D@)))}

def feed(rows):  # [n, hidden size] behind what is there -> logits of the last row
    global position
    for decoder in decoders:  # the last that takes them all at once
        length = decoder.get_inputs()[0].shape[1]
        if length >= len(rows) and position + length <= context: graph, a = decoder, length
    n, past, angles = len(rows), context - a, np.arange(position, position + a)[:, None] * @THETA@ ** (-np.arange(@D@ // 2) / (@D@ // 2))
    mask = np.full((1, 1, a, context), @HIDDEN@, np.float32)
    mask[..., :position], mask[0, 0, :, past:] = 0, np.where(np.tri(a, dtype=bool), 0, @HIDDEN@)
    inputs = {name + "_in": c[..., :past] if "key" in name else c[:, :, :past] for name, c in cache.items()}
    inputs |= {"inputs_embeds": np.pad(rows, ((0, a - n), (0, 0)))[None], "attention_mask": mask,
               "position_ids_cos": np.cos(angles, dtype=np.float32)[None, None], "position_ids_sin": np.sin(angles, dtype=np.float32)[None, None]}
    outputs = dict(zip((o.name for o in graph.get_outputs()), graph.run(None, inputs)))
    for name, c in cache.items():
        (c[..., position:position + n] if "key" in name else c[:, :, position:position + n])[:] = outputs[name + "_out"][..., :n] \
            if "key" in name else outputs[name + "_out"][:, :, :n]
    position += n
    return outputs["logits"][0, n - 1, :@TOKENS@]

picture = Image.open(sys.argv[1]).convert("RGB")
@FIT@
pixels = (np.asarray(picture, np.float32) * np.float32(@RESCALE@) - np.float32(@MEAN@)) / np.float32(@STD@)
image = opened("@VISION@").run(None, {"pixel_values": pixels.transpose(2, 0, 1)[None]})[0][0]
tokenizer, table = Tokenizer.from_file("tokenizer.json"), np.memmap("@TABLE@", np.float32).reshape(-1, @H@)
ids = lambda text: table[tokenizer.encode(text, add_special_tokens=False).ids]
prompt = np.concatenate([ids(@BEFORE@), image, ids(@AFTER@.replace("{question}", sys.argv[2]))])
longest, reply = decoders[0].get_inputs()[0].shape[1], []
if len(prompt) > context: sys.exit(f"client.py: a prompt of {len(prompt)} tokens does not fit into a context of {context}")
for begin in range(0, len(prompt), longest):  # in long pieces as long as they fit, then one by one
    piece = prompt[begin:begin + longest]
    for rows in [piece] if position + longest <= context else piece[:, None]: logits = feed(rows)
while (best := int(logits.argmax())) not in [@END@] and position < context:
    reply.append(best)
    logits = feed(table[[best]])
print(*reply, file=sys.stderr)
print(tokenizer.decode(reply))
)client";

const char* const kCppClient = R"client(// Answers on the NPU; C++17. Run it in this folder; it prints the ids of the reply.
//   client PLUG-IN HTP-LIBRARY PIXELS-FILE ID… '<image>' ID…
// `fastvlm-npu preprocess --output pixels.bin` makes the pixels, `tokenize --chat` the ids and `tokenize --decode` text of ids.
#include <@HEADER@>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

using Floats = std::vector<float>;
using Named = std::map<std::string, Floats>;
constexpr int kContext = @CONTEXT@, kHidden = @H@, kHalf = @D@ / 2, kLayers = @LAYERS@, kTokens = @TOKENS@;
constexpr std::size_t kPixels = @PIXELS@;

struct Graph {
  Ort::Session session;
  Named run(Named& inputs) {  // float32 tensors by name, in the shapes of the graph
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    std::vector<const char*> in, out;
    std::vector<Ort::Value> values;
    const auto in_names = session.GetInputNames(), out_names = session.GetOutputNames();
    for (std::size_t i = 0; i < in_names.size(); ++i) {
      const auto shape = session.GetInputTypeInfo(i).GetTensorTypeAndShapeInfo().GetShape();
      Floats& floats = inputs.at(in_names[i]);
      values.push_back(Ort::Value::CreateTensor<float>(memory, floats.data(), floats.size(), shape.data(), shape.size()));
      in.push_back(in_names[i].c_str());
    }
    for (const std::string& name : out_names) out.push_back(name.c_str());
    const auto made = session.Run(Ort::RunOptions(), in.data(), values.data(), in.size(), out.data(), out.size());
    Named outputs;
    for (std::size_t i = 0; i < made.size(); ++i) {
      const float* data = made[i].GetTensorData<float>();
      outputs[out_names[i]].assign(data, data + made[i].GetTensorTypeAndShapeInfo().GetElementCount());
    }
    return outputs;
  }
};

Named cache;  // keys and values of every layer; a slot of a key is one number in each of KV * D rows, of a value D numbers in each
              // of KV
int position = 0;

Floats feed(Graph& graph, int a, Floats rows) {  // at most a rows behind what is there -> logits of the last
  const int n = static_cast<int>(rows.size()) / kHidden, past = kContext - a;
  Named inputs = {{"attention_mask", Floats(a * kContext, @HIDDEN@)}, {"position_ids_cos", {}}, {"position_ids_sin", {}}};
  rows.resize(a * kHidden);
  inputs["inputs_embeds"] = rows;
  for (int i = 0; i < a; ++i) {
    for (int slot = 0; slot < kContext; ++slot)
      if (slot < past ? slot < position : slot - past <= i) inputs["attention_mask"][i * kContext + slot] = 0;
    for (int k = 0; k < kHalf; ++k) {
      const double angle = (position + i) * std::pow(@THETA@, -static_cast<double>(k) / kHalf);
      inputs["position_ids_cos"].push_back(static_cast<float>(std::cos(angle)));
      inputs["position_ids_sin"].push_back(static_cast<float>(std::sin(angle)));
    }
  }
  auto outer = [](const std::string& name) { return name[5] == 'k' ? @KV@ * kHalf * 2 : @KV@; };  // "past_key_0", "past_value_0"
  auto inner = [](const std::string& name) { return name[5] == 'k' ? 1 : kHalf * 2; };
  for (auto& [name, slots] : cache)
    for (int row = 0, width = inner(name); row < outer(name); ++row) {
      const auto begin = slots.begin() + row * kContext * width;
      inputs[name + "_in"].insert(inputs[name + "_in"].end(), begin, begin + past * width);
    }
  Named outputs = graph.run(inputs);
  for (auto& [name, slots] : cache)
    for (int row = 0, width = inner(name); row < outer(name); ++row)
      std::copy_n(outputs[name + "_out"].begin() + row * a * width, n * width, slots.begin() + (row * kContext + position) * width);
  position += n;
  const auto last = outputs["logits"].begin() + (n - 1) * static_cast<long>(outputs["logits"].size()) / a;
  return {last, last + kTokens};
}

int fail(const std::string& what) { return std::fprintf(stderr, "client: %s\n", what.c_str()), 1; }

Floats floats_of(const char* file) {
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  Floats floats(stream ? static_cast<std::size_t>(stream.tellg()) / sizeof(float) : 0);
  stream.seekg(0).read(reinterpret_cast<char*>(floats.data()), static_cast<std::streamsize>(floats.size() * sizeof(float)));
  return floats;
}

int main(int count, char** words) try {
  if (count < 5) return std::fprintf(stderr, "client PLUG-IN HTP-LIBRARY PIXELS-FILE ID… '<image>' ID…\n"), 2;
  Ort::Env env;
  env.RegisterExecutionProviderLibrary("QNNExecutionProvider", words[1]);
  Ort::SessionOptions options;
  for (const auto& device : env.GetEpDevices())
    if (device.EpName() == std::string("QNNExecutionProvider"))
      options.AppendExecutionProvider_V2(env, {device}, std::unordered_map<std::string, std::string>{{"backend_path", words[2]}});
  std::map<int, Graph> decoders;  // by the number of new tokens
  for (const char* file : {@DECODERS@}) {
    Graph graph{Ort::Session(env, file, options)};
    const auto length = graph.session.GetInputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape()[1];
    decoders.emplace(static_cast<int>(length), std::move(graph));
  }
  for (int i = 0; i < kLayers; ++i)
    for (const char* kind : {"past_key_", "past_value_"}) cache[kind + std::to_string(i)].resize(@KV@ * kHalf * 2 * kContext);
  const Floats table = floats_of("@TABLE@");
  Named pixels = {{"pixel_values", floats_of(words[3])}};
  if (pixels["pixel_values"].size() != kPixels) return fail(words[3] + std::string(": is missing, or not the pixels that preprocess makes"));
  Floats prompt, logits;
  for (int i = 4; i < count; ++i) {
    const Floats image = words[i][0] == '<' ? Graph{Ort::Session(env, "@VISION@", options)}.run(pixels)["image_features"] : Floats();
    char* end = words[i];
    const long id = image.empty() ? std::strtol(words[i], &end, 10) : 0;
    if (image.empty() && (end == words[i] || *end != 0 || id < 0 || id >= static_cast<long>(table.size()) / kHidden))
      return fail(words[i] + std::string(": is no id of the table"));
    const auto row = table.begin() + id * kHidden;
    prompt.insert(prompt.end(), image.empty() ? row : image.begin(), image.empty() ? row + kHidden : image.end());
  }
  const int longest = decoders.rbegin()->first, rows = static_cast<int>(prompt.size()) / kHidden;
  if (rows > kContext) return fail("a prompt of " + std::to_string(rows) + " tokens does not fit into a context of @CONTEXT@");
  for (int row = 0, n = 0; row < rows; row += n) {  // in long pieces as long as they fit, then one by one
    auto& [a, graph] = position + longest <= kContext ? *decoders.rbegin() : *decoders.begin();
    n = std::min(a, rows - row);
    logits = feed(graph, a, {prompt.begin() + row * kHidden, prompt.begin() + (row + n) * kHidden});
  }
  const std::set<int> end = {@END@};
  for (int best; !end.count(best = static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin())) &&
                 position < kContext;) {
    std::printf("%d\n", best);
    logits = feed(decoders.begin()->second, 1, {table.begin() + best * kHidden, table.begin() + (best + 1) * kHidden});
  }
} catch (const std::exception& failure) {
  return fail(failure.what());
}
)client";

}  // namespace fastvlm::clients
