// Reasons of conditions that are gone by, and not only read: written and compared by these names alone.
#pragma once

namespace twinspan::controllers {

inline constexpr const char* kForeignObject = "ForeignObject";    // where ours would be there is another's
inline constexpr const char* kObjectRefused = "ObjectRefused";    // Kubernetes did not let it be made or changed
inline constexpr const char* kServiceRefused = "ServiceRefused";  // Kubernetes did not take it as a policy wants it
inline constexpr const char* kStarting = "Starting";              // expected for a while, as the next one
inline constexpr const char* kSynchronizing = "Synchronizing";
inline constexpr const char* kPlaceTaken = "PlaceTaken";              // an elder link writes there
inline constexpr const char* kWorkerNotHeard = "WorkerNotHeard";      // for too long: what it said is too old to count
inline constexpr const char* kPartitionsHalted = "PartitionsHalted";  // of a Kafka link, until somebody does something

}  // namespace twinspan::controllers
