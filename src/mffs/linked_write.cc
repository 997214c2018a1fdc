#include "mffs/linked_write.h"

namespace mffs {

LinkedWrite::Next LinkedWrite::WriteAnswered(std::int64_t answer) {
  has_written_ = true;
  write_answer_ = answer;
  return Judge();
}

LinkedWrite::Next LinkedWrite::FlushAnswered(std::int64_t answer) {
  if (!has_written_) is_parted_ = true;
  has_flushed_ = true;
  flush_answer_ = answer;
  return Judge();
}

LinkedWrite::Next LinkedWrite::Judge() {
  if (!has_written_ || !has_flushed_) return Next::kWait;
  if (!IsWhole() || is_second_flush_) return Next::kEnd;
  // A flush that failed is never repeated: the kernel may have dropped what it was to write. One that was cancelled has
  // not begun.
  const bool proves_nothing = (flush_answer_ == 0 && is_parted_) || flush_answer_ == -ECANCELED;
  if (!proves_nothing) return Next::kEnd;
  is_second_flush_ = true;
  has_flushed_ = false;
  return Next::kFlush;
}

std::int64_t LinkedWrite::answer() const {
  if (!IsWhole() || flush_answer_ == 0) return write_answer_;
  return flush_answer_;
}

}  // namespace mffs
