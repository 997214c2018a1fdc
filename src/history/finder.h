// Finder: which mails a question is about, and what became of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "async/asio.h"
#include "async/notifier.h"
#include "async/task_group.h"
#include "base/result.h"
#include "history/directory.h"
#include "history/event.h"
#include "history/keeper.h"
#include "history/pieces.h"

namespace history {

struct Query {
  std::string id{};                       // A mail's own id, or that of a queued mail.
  std::string address{};                  // Its sender or a recipient.
  std::string from{};                     // Its sender: an address, or "@domain"; "<>" is the empty one.
  std::string to{};                       // A recipient: an address, or "@domain".
  std::optional<base::WallTime> since{};  // When it was accepted.
  std::optional<base::WallTime> until{};
  std::uint32_t limit = 100;  // Mails.
};

// The life of one mail as far as it was kept.
struct TracedMail {
  std::optional<Event> arrival;  // Nothing: older than what is kept.
  std::vector<Event> events;     // What followed, in order.
  bool has_more_events = false;  // Than kEventsMax.
};

struct FoundMails {
  std::vector<TracedMail> mails;  // The newest first.
  bool has_more = false;          // Than the limit.
};

// Thread: the history's shard; several searches may run. Borrows all it is given. What a search reads it reads many at
// a time, since each read waits for the disk; reads of one that is given up end by themselves. Errors: kInvalid (a
// question without words), and those of reading.
class Finder {
 public:
  static constexpr std::size_t kEventsMax = 500;  // Of one mail.

  Finder(async::Executor executor, Directory* directory, Keeper* keeper, Pieces* pieces)
      : executor_(executor),
        directory_(directory),
        keeper_(keeper),
        pieces_(pieces),
        reads_(executor, "history reads") {}

  async::Task<base::Result<FoundMails>> Find(Query query);
  // Before destruction.
  async::Task<void> Stop() { return reads_.Stop(); }

 private:
  // Events that have one of these hashes; a query asks for one of each list.
  using Hashes = std::vector<std::uint32_t>;
  struct Sought {
    Query query;
    std::vector<Hashes> hashes;
    std::optional<queue::QueueId> queue_id;
  };
  struct Hit {
    Event event;
    RunNumber run;
    Position position = 0;
  };

  static Sought Prepare(Query query);
  static bool IsSought(const Sought& sought, const Event& event);
  static bool IsInTime(const Query& query, const EventRecord& record);

  // Those of a run, the newest first, until there are `hits_max`. `hits` outlives the task.
  async::Task<base::Result<>> SearchRun(RunNumber number, const Sought* sought, std::vector<Position> positions,
                                        std::size_t hits_max, std::vector<Hit>* hits);
  async::Task<base::Result<>> WalkRun(RunNumber number, const Sought* sought, std::size_t hits_max,
                                      std::vector<Hit>* hits);
  // Ascending.
  async::Task<base::Result<std::vector<Position>>> PositionsOf(RunNumber number, const Sought* sought);
  async::Task<base::Result<std::vector<Position>>> PositionsOf(RunNumber number, std::uint32_t hash);
  async::Task<std::vector<Position>> PositionsInMemory(RunNumber number, std::uint32_t hash);
  async::Task<base::Result<std::shared_ptr<const std::vector<std::uint32_t>>>> FencesOf(RunNumber number);
  async::Task<base::Result<std::string>> ReadPart(RunNumber number, std::size_t part, std::uint32_t offset,
                                                  std::uint32_t size);
  // Nothing: it is gone, or cannot be read.
  async::Task<std::optional<Event>> ReadEvent(RunNumber number, Position position);
  async::Task<base::Result<std::string>> ReadEvents(RunNumber number, Slot slot, std::uint32_t offset,
                                                    std::uint32_t size);

  // Many at once. Owners: the search and its reads.
  struct PositionReads {
    PositionReads(async::Executor executor, std::size_t count) : positions(count), left(count), ended(executor) {}
    std::vector<std::vector<Position>> positions;  // Each ascending.
    std::optional<base::Error> error;
    std::size_t left;
    async::Notifier ended;
  };
  async::Task<base::Result<std::vector<std::vector<Position>>>> PositionsOfAll(std::vector<RunNumber> runs,
                                                                               std::shared_ptr<const Sought> sought);
  async::Task<void> PositionsOfOne(RunNumber number, std::size_t i, std::shared_ptr<const Sought> sought,
                                   std::shared_ptr<PositionReads> reads);
  struct EventReads {
    EventReads(async::Executor executor, std::size_t count) : events(count), left(count), ended(executor) {}
    std::vector<std::optional<Event>> events;
    std::size_t left;
    async::Notifier ended;
  };
  struct Follows {
    Follows(async::Executor executor, std::size_t count) : mails(count), left(count), ended(executor) {}
    std::vector<TracedMail> mails;
    std::optional<base::Error> error;
    std::size_t left;
    async::Notifier ended;
  };
  async::Task<std::vector<std::optional<Event>>> ReadAll(RunNumber number, std::vector<Position> positions);
  async::Task<void> ReadOne(RunNumber number, Position position, std::size_t i, std::shared_ptr<EventReads> reads);
  async::Task<base::Result<std::vector<TracedMail>>> FollowAll(std::vector<Hit> hits);
  async::Task<void> FollowOne(Hit hit, std::size_t i, std::shared_ptr<Follows> follows);
  async::Task<base::Result<TracedMail>> Follow(Hit hit);
  // Adds the events of a queued mail in a run, behind `after`.
  async::Task<base::Result<>> FollowIn(RunNumber number, queue::QueueId id, std::optional<Position> after,
                                       TracedMail* mail);

  async::Executor executor_;
  Directory* directory_;
  Keeper* keeper_;
  Pieces* pieces_;
  async::TaskGroup reads_;
};

// Nothing of it can come any more.
bool IsOver(const TracedMail& mail);

}  // namespace history
