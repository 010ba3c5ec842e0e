-- Degraded: it waits for a person, or nobody accepts writes. Suspended: paused by a person. Progressing: it gets there by itself.
local function condition(type)
  for _, one in ipairs((obj.status or {}).conditions or {}) do
    if one.type == type then return one end
  end
  return {}
end

if obj.metadata.deletionTimestamp ~= nil then
  return {status = "Progressing", message = "the link is being deleted"}
end
local ready, stalled = condition("Ready"), condition("Stalled")
if ready.status == nil or (ready.observedGeneration or 0) < (obj.metadata.generation or 0) then
  return {status = "Progressing", message = "the operator has not looked at it yet"}
end
if stalled.status == "True" then
  return {status = "Degraded", message = (stalled.reason or "") .. ": " .. (stalled.message or "")}
end
if obj.spec.paused then
  return {status = "Suspended", message = "spec.paused is true"}
end
if ready.status == "True" then
  return {status = "Healthy", message = ready.message}
end
local message = (ready.reason or "") .. ": " .. (ready.message or "")
if ready.reason == "NoPrimary" or ready.reason == "PrimaryNotRunning" then
  return {status = "Degraded", message = message}
end
return {status = "Progressing", message = message}
