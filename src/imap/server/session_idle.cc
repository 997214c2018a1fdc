// IDLE (RFC 2177): the client waits for news; the session waits for both, the store and the client.
#include <utility>

#include "async/deadline.h"
#include "imap/server/session.h"

namespace imap {
namespace {

using namespace std::chrono_literals;

// A store that answers at once without anything having changed (it is overloaded) must not be asked again at once.
constexpr std::chrono::milliseconds kPause = 200ms;
constexpr std::chrono::milliseconds kWatch = 60s;

}  // namespace

async::Task<Reply> Session::Do(Idle) {
  const async::Executor executor = co_await asio::this_coro::executor;
  co_await TellChanges(&conversation_, MailboxView::Expunges::kAllowed);
  conversation_.out.Add(ContinuationLine("idling"));
  co_await conversation_.out.Flush();
  input_.reader().ExpectLine();
  idling_.emplace(executor);
  idling_->tasks.Spawn(ReadIdleLine());
  if (conversation_.selected.has_value()) idling_->tasks.Spawn(WatchMailbox());
  while (!idling_->line.has_value()) {
    if (!idling_->changed) {
      co_await idling_->wake.Wait();
      continue;
    }
    co_await TellChanges(&conversation_, MailboxView::Expunges::kAllowed);
    co_await conversation_.out.Flush();
    connection_->SetDeadline(settings_->idle_timeout);  // For the read that goes on; the write may have shortened it.
    if (conversation_.out.failed() || conversation_.selected->gone) break;
    idling_->changed = false;
    idling_->taken.NotifyAll();
  }
  auto line = std::move(idling_->line);
  co_await StopIdling();
  if (!line.has_value()) co_return Ok("IDLE ended");  // The mailbox or the client is gone: BYE follows.
  if (!line->has_value()) {
    Lost(line->error());
    co_return Bad("the client is gone");
  }
  const auto* done = std::get_if<LineReady>(&**line);
  if (done == nullptr || !IsDone(done->text)) co_return Bad("only DONE ends IDLE");
  co_return Ok("IDLE completed");
}

async::Task<void> Session::ReadIdleLine() {
  auto line = co_await input_.Next();
  idling_->line = std::move(line);
  idling_->wake.NotifyAll();
}

async::Task<void> Session::WatchMailbox() {
  for (;;) {
    const std::uint64_t modseq = conversation_.selected->view.modseq();
    co_await services_->store->WaitForChange(conversation_.selected->id, modseq, kWatch);
    idling_->changed = true;
    idling_->wake.NotifyAll();
    while (idling_->changed) co_await idling_->taken.Wait();
    if (conversation_.selected->view.modseq() == modseq) co_await async::Sleep(kPause);
  }
}

async::Task<void> Session::StopIdling() {
  if (!idling_.has_value()) co_return;
  co_await idling_->tasks.Stop();
  idling_.reset();
}

}  // namespace imap
