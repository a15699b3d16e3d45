#include "fastvlm/export/embedding_table.h"

#include "fastvlm/base/decibels.h"
#include "fastvlm/base/try.h"

namespace fastvlm {

Result<CodedTable> write_coded_table(const WeightPtr& table, const TableCoding& coding, const Path& path, const WriteOptions& options,
                                     Progress& progress) {
  const std::int64_t width = table->row_size();
  const std::uint64_t total = static_cast<std::uint64_t>(table->row_count() * width) * coding.bytes;
  std::vector<Power> powers((total + kPieceBytes - 1) / kPieceBytes);
  CodedTable result;
  TRY_ASSIGN(result.file, write_in_pieces(path, total, options, progress, [&](std::size_t index, std::span<std::byte> out) -> Status {
               // Pieces are counted in bytes, the table is read in whole rows.
               const auto first = static_cast<std::int64_t>(index * (kPieceBytes / coding.bytes));
               const std::size_t count = out.size() / coding.bytes;
               const std::int64_t row_begin = first / width, row_end = (first + static_cast<std::int64_t>(count) + width - 1) / width;
               thread_local std::vector<float> values;
               values.resize(static_cast<std::size_t>((row_end - row_begin) * width));
               TRY(table->read_rows(row_begin, row_end, values));
               powers[index] = coding.code(std::span(values).subspan(static_cast<std::size_t>(first - row_begin * width), count), out);
               return {};
             }));
  Power sum;
  for (const Power& power : powers) sum.signal += power.signal, sum.noise += power.noise;
  result.sqnr_db = decibels(sum.signal, sum.noise);
  return result;
}

}  // namespace fastvlm
