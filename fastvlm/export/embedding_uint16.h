// embedding_uint16_lut.bin: the embedding table in the codes of `inputs_embeds`, where decoders take codes: a host hands on the rows of
// its tokens as they are.
#pragma once

#include <vector>

#include "fastvlm/export/embedding_table.h"
#include "fastvlm/export/export.h"

namespace fastvlm {

// A table for each encoding that decoders take; the first has the usual name, a further one that of the first recipe which it is for.
// Their noise is not known before they are written.
std::vector<CodedTableEntry> coded_tables(const std::vector<PreparedGraph>& graphs);

// Little-endian, row by row; a number beyond the codes gets the nearest one. Reads the table piece by piece.
Result<CodedTable> write_uint16_table(const WeightPtr& table, const Encoding& encoding, const Path& path, const WriteOptions& options,
                                      Progress& progress);

}  // namespace fastvlm
