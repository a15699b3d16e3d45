// The plain graphs as those who talk through the static ones want them: pictures to vectors, and a decoder with a cache. The changed
// models lie in a temporary folder, with links to the weights, while they are open; nothing is written beside the originals.
#pragma once

#include "fastvlm/session/decoder_session.h"
#include "fastvlm/session/output_folder.h"

namespace fastvlm {

// Whether the folder has them; that of `bundle` has none.
bool has_plain_graphs(const OutputFolder& folder);

// pixel_values [1, 3, size, size] -> image_features [1, N, H]: the tower, made for another size where it needs be, and the projector.
Result<std::unique_ptr<Runner>> open_plain_pictures(const OutputFolder& folder, std::int64_t size, const OpenGraph& open);

// The most tokens are those that the model was made for.
Result<DecoderSession> open_plain_decoder(const OutputFolder& folder, const OpenGraph& open);

}  // namespace fastvlm
