// Names and annotations that the operator alone uses, beside those of contract/names.hpp.
#pragma once
#include <string>
#include <string_view>

#include "api/types.hpp"
#include "contract/names.hpp"
#include "kube/resource.hpp"

namespace twinspan::controllers {

inline constexpr std::string_view kFieldManager = "twinspan";
// Earlier versions put it on links. Nothing needs it: owner references do the rest.
inline constexpr std::string_view kFormerFinalizer = "twinspan.dev/cleanup";

// Hash of what was rendered: an object that carries the wanted one is left alone.
inline constexpr std::string_view kHashAnnotation = "twinspan.dev/hash";
inline constexpr std::string_view kOriginAnnotation = "twinspan.dev/origin";
// On pods: hash of what the link asked of them. Where it is another now, a person edited the link.
inline constexpr std::string_view kAskedAnnotation = "twinspan.dev/asked";
// On what outlives its link (claims, the owner's Secret): the uid of the link it was made for.
inline constexpr std::string_view kLinkUidAnnotation = "twinspan.dev/link-uid";
// On an object of somebody else's: the link or policy that may write it from now on. Set by people.
inline constexpr std::string_view kHandOverAnnotation = "twinspan.dev/hand-over";
// On a link: while it is "true" the webhook refuses to let the link be deleted. Set by people.
inline constexpr std::string_view kProtectedAnnotation = "twinspan.dev/protected";
// On a link with spec.postgres.updates.primary Supervised: a new value lets the primary's pod be replaced. Set by
// people.
inline constexpr std::string_view kUpdatePrimaryAnnotation = "twinspan.dev/update-primary";
// On Secrets with certificates: the Services whose names they carry, joined by commas.
inline constexpr std::string_view kServicesAnnotation = "twinspan.dev/services";
// On the owner's Secret: the keys beside username and password that are Twinspan's, joined by commas.
inline constexpr std::string_view kConnectionAnnotation = "twinspan.dev/connection";
// On Secrets with certificates: when they are renewed (RFC 3339).
inline constexpr std::string_view kRenewAtAnnotation = "twinspan.dev/renew-at";

// On a Service: hash of what its policy's template adds to it. Absent: there is no template.
inline constexpr std::string_view kTemplateAnnotation = "twinspan.dev/template";
// On a ServiceAccount: the keys of the annotations that the link's spec asks for, joined by commas.
inline constexpr std::string_view kAddedAnnotation = "twinspan.dev/annotations";

std::string owner_secret_name(const api::ReplicationLink& link);
kube::Key key_of(const api::ObjectMeta& meta);

}  // namespace twinspan::controllers
