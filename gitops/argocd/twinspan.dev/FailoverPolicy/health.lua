-- Degraded: it is refused, or waits for a person. Progressing: a failover or switchover runs. A policy that would not fail over now is
-- Healthy with a message: that is an alarm's matter, not a deployment's.
local function condition(type)
  for _, one in ipairs((obj.status or {}).conditions or {}) do
    if one.type == type then return one end
  end
  return {}
end

if obj.metadata.deletionTimestamp ~= nil then
  return {status = "Progressing", message = "the policy is being deleted"}
end
local ready, stalled, possible = condition("Ready"), condition("Stalled"), condition("FailoverPossible")
if ready.status == nil or (ready.observedGeneration or 0) < (obj.metadata.generation or 0) then
  return {status = "Progressing", message = "the operator has not looked at it yet"}
end
if stalled.status == "True" then
  return {status = "Degraded", message = (stalled.reason or "") .. ": " .. (stalled.message or "")}
end
if (obj.status or {}).current ~= nil then
  return {status = "Progressing", message = "a change of primary runs: " .. (obj.status.current.step or "")}
end
if ready.status ~= "True" then
  return {status = "Progressing", message = (ready.reason or "") .. ": " .. (ready.message or "")}
end
if possible.status == "False" then
  return {status = "Healthy", message = "a failover would be refused now: " .. (possible.message or "")}
end
return {status = "Healthy", message = ready.message}
