// What a notice says to people.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "mail/ascii.h"
#include "mail/charset.h"
#include "mail/date.h"
#include "mail/delivery_status.h"

namespace mail {
namespace {

constexpr std::size_t kColumns = 76;
constexpr std::size_t kQuotedBytesMax = 800;

// What to make of a status code, whose first digit counts for nothing here. The first that fits.
struct Advice {
  std::string_view code;  // Subject and detail, or the subject with its dot.
  std::string_view text;
};
constexpr std::array kAdvice{
    Advice{".1.10", "The domain of this address takes no mail. Check the part behind the @ for typing mistakes."},
    Advice{".1.2", "There is no such mail domain. Check the part behind the @ for typing mistakes."},
    Advice{".1.8", "The other server does not accept your own address. Tell this to your postmaster."},
    Advice{".1.7", "The other server does not accept your own address. Tell this to your postmaster."},
    Advice{".1.",
           "There is no such mailbox. Check the address for typing mistakes; if it is right, the person may have "
           "another one by now."},
    Advice{".2.2", "The mailbox is full. Try again later, or reach the person in another way."},
    Advice{".2.3", "Your message is too large for this mailbox. Send less at a time, or a link."},
    Advice{".2.", "The mailbox does not take mail now. Try again later, or reach the person in another way."},
    Advice{".3.4", "Your message is too large for the other server. Send less at a time, or a link."},
    Advice{".4.7",
           "The other server could not be reached, or did not take the message, for too long. Check the part of "
           "the address behind the @; if it is right, try again later, or reach the person in another way."},
    Advice{".4.6", "The message went round in a circle between servers. Tell this to your postmaster."},
    Advice{".6.7", "The other server does not take addresses with letters like these. Ask the person for another one."},
    Advice{".6.",
           "The other server does not take messages of this form. Send it as plain text, or without attachments."},
    Advice{".7.",
           "The other server refuses your message, perhaps because it takes it for spam. Reach the person in "
           "another way, or show this notice to your postmaster."},
};
constexpr std::string_view kOtherAdvice =
    "Reach the person in another way, or show this notice to your postmaster, who can tell more from it.";

std::string_view AdviceFor(std::string_view code) {
  const std::string_view rest = code.substr(1);
  for (const Advice& advice : kAdvice) {
    if (advice.code.ends_with('.') ? rest.starts_with(advice.code) : rest == advice.code) return advice.text;
  }
  return kOtherAdvice;
}

// Words of anybody, in valid UTF-8 and without line breaks.
std::string Quoted(std::string_view words) {
  std::string text(words.substr(0, kQuotedBytesMax));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return std::string(Trim(ToUtf8(text, "utf-8")));
}

// Adds a paragraph whose lines begin with `indent`.
void AddParagraph(std::string_view indent, std::string_view words, std::string* out) {
  std::size_t column = 0;
  for (std::size_t at = 0; at < words.size();) {
    const std::size_t end = std::min(words.find(' ', at), words.size());
    const std::string_view word = words.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    if (column > 0 && column + 1 + word.size() > kColumns) {
      out->append("\r\n");
      column = 0;
    }
    out->append(column == 0 ? indent : " ").append(word);
    column += (column == 0 ? indent.size() : 1) + word.size();
  }
  out->append("\r\n");
}

std::string LeadOf(DsnAction action, const DeliveryStatus& status) {
  const bool has_one = std::ranges::count(status.recipients, action, &DsnRecipient::action) == 1;
  const std::string_view whom = has_one ? "this address" : "these addresses";
  switch (action) {
    case DsnAction::kFailed:
      if (status.to_postmaster) return fmt::format("It could not be delivered to {}:", whom);
      return fmt::format("Your message could not be delivered to {}, and will not be tried again:", whom);
    case DsnAction::kDelayed:
      return fmt::format(
          "Your message has not been delivered yet to {}. You need not do anything: it is tried again until {}, and if "
          "that fails, you will be told.",
          whom, FormatDate(status.retry_until));
    case DsnAction::kDelivered:
      return fmt::format("You asked to be told: your message was delivered to {}.", whom);
    case DsnAction::kRelayed:
      return fmt::format(
          "You asked to be told: your message to {} was handed to another mail server. That one does not tell when it "
          "has delivered it.",
          whom);
    case DsnAction::kExpanded:
      return fmt::format(
          "You asked to be told: your message to {} was passed on to all who stand behind it. You will hear only of "
          "those it cannot be delivered to.",
          whom);
  }
  return {};
}

void AddRecipient(const DsnRecipient& recipient, std::string* out) {
  out->append("\r\n");
  AddParagraph("  ", "<" + Quoted(recipient.address) + ">", out);
  const bool is_good = recipient.action != DsnAction::kFailed && recipient.action != DsnAction::kDelayed;
  const std::string answer = Quoted(recipient.answer);
  if (!is_good && !answer.empty()) {
    const std::string who = Quoted(recipient.remote_mta);
    AddParagraph("    ", who.empty() ? "What happened:" : fmt::format("The mail server {} answered:", who), out);
    AddParagraph("      ", answer, out);
  }
  if (recipient.action == DsnAction::kFailed) AddParagraph("    ", AdviceFor(StatusCodeOf(recipient)), out);
}

}  // namespace

std::string TextForPeople(const DeliveryStatus& status, std::string_view subject) {
  std::string text;
  AddParagraph("", fmt::format("This is the mail system of {}.", Quoted(status.hostname)), &text);
  if (status.to_postmaster) {
    text += "\r\n";
    AddParagraph("",
                 "You get this as its postmaster: a message without a sender's address, which most often is such a "
                 "notice itself, failed, and so nobody else can be told of it.",
                 &text);
  }
  for (const DsnAction action :
       {DsnAction::kFailed, DsnAction::kDelayed, DsnAction::kDelivered, DsnAction::kRelayed, DsnAction::kExpanded}) {
    bool has_lead = false;
    for (const DsnRecipient& recipient : status.recipients) {
      if (recipient.action != action) continue;
      if (!has_lead) {
        text += "\r\n";
        AddParagraph("", LeadOf(action, status), &text);
      }
      has_lead = true;
      AddRecipient(recipient, &text);
    }
  }
  text += "\r\n";
  if (!subject.empty()) AddParagraph("", "Subject of the message: " + Quoted(subject), &text);
  AddParagraph("", "Received from its sender: " + FormatDate(status.arrival), &text);
  AddParagraph("", "Its number, for questions to your postmaster: " + Quoted(status.mail_id), &text);
  return text;
}

}  // namespace mail
