// The child's side: one session in a process of its own, so that a crash of the vendor library becomes a sentence.
//
// Protocol on the channel: a message is a uint64 length and that many bytes of JSON, then the bytes of the tensors it names,
// one behind the other. Requests: open {model, provider, soc_model, …}, run {inputs, wanted}. Answers: {ok: true, …} or
// {ok: false, kind, message}.
#pragma once

#include "fastvlm/base/json.h"
#include "fastvlm/process/child.h"
#include "fastvlm/tensor/tensor.h"

namespace fastvlm::qnn {

// The hidden verb that starts it.
inline constexpr const char* kWorkerVerb = "__session-worker";

// Serves requests until the other side is gone. Returns the exit code.
int serve_session(int descriptor);

// Both sides.
bool send_message(Channel& channel, const OrderedJson& header, std::span<const NamedTensorView> tensors);
// Nothing when the other side is gone or the message makes no sense.
struct Message {
  Json header;
  std::vector<NamedTensor> tensors;  // those of header["tensors"]
};
std::optional<Message> receive_message(Channel& channel);

}  // namespace fastvlm::qnn
