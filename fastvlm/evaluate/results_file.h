// The file of results while it grows: what a killed run left is kept, and no other process writes it meanwhile.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/evaluate/results.h"

namespace fastvlm {

class ResultsFile {
 public:
  // Makes the file, or goes on with it. A damaged last line and failed questions are taken out and count as not answered. Results
  // of something else (model, set, shard) are an Error and stay as they are, and so is a file that another process writes.
  static Result<ResultsFile> open(const Path& file, const ResultsHeader& header);
  ResultsFile(ResultsFile&& other) noexcept;
  ResultsFile& operator=(ResultsFile&&) = delete;
  ~ResultsFile();

  // By number of the question, from 1.
  bool has(std::size_t question) const { return answered_[question]; }
  std::size_t answered_before() const { return answered_before_; }

  // One line in one write.
  Status append(const ResultRow& row);
  // Puts the lines in order if they are not. Every question of the shard must be there.
  Result<Results> finish();

 private:
  ResultsFile(Path path, ResultsHeader header, int descriptor)
      : path_(std::move(path)), header_(std::move(header)), descriptor_(descriptor) {}
  Status take(const std::string& text, std::string& kept);
  Status write(std::string_view bytes);

  Path path_;
  ResultsHeader header_;
  int descriptor_ = -1;
  std::vector<bool> answered_;
  std::size_t answered_before_ = 0;
  std::size_t last_ = 0;  // question of the last line
  bool in_order_ = true;
};

}  // namespace fastvlm
