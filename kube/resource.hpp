// Names of API resources and objects.
#pragma once
#include <compare>
#include <string>
#include <string_view>

namespace twinspan::kube {

struct Resource {
  std::string_view group;  // "" for core
  std::string_view version;
  std::string_view plural;
  std::string_view kind;
  bool namespaced = true;

  std::string api_version() const;  // "v1" or "apps/v1"
  std::string path(std::string_view ns,
                   std::string_view name) const;  // "/api/v1/namespaces/ns/pods/name"; empty ns or name: left out
};

inline constexpr Resource kPods{"", "v1", "pods", "Pod"};
inline constexpr Resource kServices{"", "v1", "services", "Service"};
inline constexpr Resource kSecrets{"", "v1", "secrets", "Secret"};
inline constexpr Resource kConfigMaps{"", "v1", "configmaps", "ConfigMap"};
inline constexpr Resource kServiceAccounts{"", "v1", "serviceaccounts", "ServiceAccount"};
inline constexpr Resource kPersistentVolumeClaims{"", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"};
inline constexpr Resource kCoreEvents{"", "v1", "events", "Event"};
inline constexpr Resource kNamespaces{"", "v1", "namespaces", "Namespace", false};
inline constexpr Resource kNodes{"", "v1", "nodes", "Node", false};
inline constexpr Resource kEndpointSlices{"discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"};
inline constexpr Resource kLeases{"coordination.k8s.io", "v1", "leases", "Lease"};
inline constexpr Resource kStatefulSets{"apps", "v1", "statefulsets", "StatefulSet"};
inline constexpr Resource kPodDisruptionBudgets{"policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"};
inline constexpr Resource kNetworkPolicies{"networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"};
inline constexpr Resource kRoles{"rbac.authorization.k8s.io", "v1", "roles", "Role"};
inline constexpr Resource kRoleBindings{"rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding"};
inline constexpr Resource kCustomResourceDefinitions{"apiextensions.k8s.io", "v1", "customresourcedefinitions",
                                                     "CustomResourceDefinition", false};
inline constexpr Resource kValidatingWebhooks{"admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations",
                                              "ValidatingWebhookConfiguration", false};
inline constexpr Resource kMutatingWebhooks{"admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations",
                                            "MutatingWebhookConfiguration", false};
inline constexpr Resource kReplicationLinks{"twinspan.dev", "v1alpha1", "replicationlinks", "ReplicationLink"};
inline constexpr Resource kFailoverPolicies{"twinspan.dev", "v1alpha1", "failoverpolicies", "FailoverPolicy"};
inline constexpr Resource kBackupSchedules{"twinspan.dev", "v1alpha1", "backupschedules", "BackupSchedule"};
inline constexpr Resource kBackups{"twinspan.dev", "v1alpha1", "backups", "Backup"};
inline constexpr Resource kRestores{"twinspan.dev", "v1alpha1", "restores", "Restore"};

struct Key {
  std::string ns;
  std::string name;
  auto operator<=>(const Key&) const = default;
  std::string str() const { return ns.empty() ? name : ns + "/" + name; }
};

}  // namespace twinspan::kube
