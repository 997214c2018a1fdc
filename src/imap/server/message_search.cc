#include "imap/server/message_search.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "mail/ascii.h"
#include "mail/charset.h"
#include "mail/date.h"

namespace imap {
namespace {

using base::Result;

void CollectParts(const mail::MimePart& part, std::vector<const mail::MimePart*>& out) {
  out.push_back(&part);
  for (const mail::MimePart& child : part.children) CollectParts(child, out);
}

bool AllFound(const std::vector<bool>& found) {
  return std::ranges::all_of(found, std::identity());
}

}  // namespace

MessageSearch::MessageSearch(const SearchKey& key, async::Turn* turn) : turn_(turn) {
  for (const HeaderText& header : HeaderTexts(key)) {
    headers_.push_back({.text = mail::TextSearch(header.text), .field = mail::LowerAscii(header.field)});
  }
  for (const ContentText& text : ContentTexts(key)) {
    texts_.push_back({.text = mail::TextSearch(text.text), .field = {}, .in_header = text.in_header});
    overlap_bytes_ = std::max(overlap_bytes_, texts_.back().text.size_bytes());
  }
  if (overlap_bytes_ > 0) --overlap_bytes_;
}

async::Task<Result<HeaderFacts>> MessageSearch::Header(MessageReader* reader) const {
  ASSIGN_OR_CO_RETURN(const std::string_view header, co_await reader->Header());
  HeaderFacts facts;
  facts.found.assign(headers_.size(), false);
  bool has_date = false;
  mail::HeaderReader fields(header);
  while (const auto field = fields.Next()) {
    const std::string name = mail::LowerAscii(field->name);
    if (name.empty()) continue;
    if (name == "date" && !std::exchange(has_date, true)) {
      if (const auto date = mail::ParseDate(field->body)) facts.sent_on = std::chrono::sys_days(date->LocalDay());
    }
    std::optional<std::string> folded;
    for (std::size_t i = 0; i < headers_.size(); ++i) {
      if (facts.found[i] || headers_[i].field != name) continue;
      if (!folded) folded = mail::FoldUtf8(mail::DecodeHeaderText(field->body));
      facts.found[i] = headers_[i].text.MatchesFolded(*folded);
      if (turn_->IsOver()) co_await turn_->Pass();
    }
    if (turn_->IsOver()) co_await turn_->Pass();
  }
  co_return facts;
}

async::Task<Result<std::vector<bool>>> MessageSearch::Content(MessageReader* reader) const {
  std::vector<bool> found(texts_.size(), false);
  ASSIGN_OR_CO_RETURN(const mail::MimePart* root, co_await reader->Structure());
  std::vector<const mail::MimePart*> parts;
  CollectParts(*root, parts);
  for (const mail::MimePart* part : parts) {
    if (AllFound(found)) break;
    CO_RETURN_IF_ERROR(co_await ContentOfHeader(part, part == root, reader, &found));
    if (part->type != "text" || !part->children.empty()) continue;
    CO_RETURN_IF_ERROR(co_await ContentOfBody(part, reader, &found));
  }
  co_return found;
}

// The header of the message is searched for TEXT only; those of its parts and of enclosed messages belong to its body.
async::Task<Result<>> MessageSearch::ContentOfHeader(const mail::MimePart* part, bool is_root, MessageReader* reader,
                                                     std::vector<bool>* found) const {
  if (is_root && std::ranges::none_of(texts_, &Sought::in_header)) co_return Result<>();
  ASSIGN_OR_CO_RETURN(const std::string header, co_await reader->Bytes(part->header));
  mail::HeaderReader fields(header);
  while (const auto field = fields.Next()) {
    const std::string text = std::string(field->name) + ": " + mail::DecodeHeaderText(field->body);
    co_await Look(mail::FoldUtf8(text), is_root, found);
    if (turn_->IsOver()) co_await turn_->Pass();
  }
  co_return Result<>();
}

async::Task<Result<>> MessageSearch::ContentOfBody(const mail::MimePart* part, MessageReader* reader,
                                                   std::vector<bool>* found) const {
  mail::PartTextDecoder decoder(*part);
  std::string window;  // Folded text: the end of what was looked at, and what comes next.
  for (std::uint64_t at = 0; at < part->body.size && !AllFound(*found);) {
    ASSIGN_OR_CO_RETURN(const std::string piece, co_await reader->Piece(part->body.offset + at, part->body.size - at));
    at += piece.size();
    std::string text = decoder.Add(piece);
    if (at >= part->body.size) text += decoder.Finish();
    window += mail::FoldUtf8(text);
    co_await Look(window, false, found);
    window.erase(0, window.size() - std::min(window.size(), overlap_bytes_));
  }
  co_return Result<>();
}

async::Task<void> MessageSearch::Look(std::string_view folded, bool in_header, std::vector<bool>* found) const {
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    if ((*found)[i] || (in_header && !texts_[i].in_header)) continue;
    (*found)[i] = texts_[i].text.MatchesFolded(folded);
    if (turn_->IsOver()) co_await turn_->Pass();
  }
}

}  // namespace imap
