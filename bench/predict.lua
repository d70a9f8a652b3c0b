-- wrk: POST /predict, cycling the user ids of the file named by USERS_CSV (first column, after the header).
-- The requests are built before the load starts, so that wrk spends its share of the machine on sending them.
local requests, next_request = {}, 0

function init()
  for line in io.lines(os.getenv("USERS_CSV")) do
    local body = '{"user_id":"' .. line:match("^([^,]+)") .. '"}'
    requests[#requests + 1] = wrk.format("POST", "/predict", { ["Content-Type"] = "application/json" }, body)
  end
  table.remove(requests, 1)
end

function request()
  next_request = next_request % #requests + 1
  return requests[next_request]
end

-- Milliseconds that a connection waits before each request.
if os.getenv("WAIT_MS") then
  function delay()
    return tonumber(os.getenv("WAIT_MS"))
  end
end

-- One line that load.py reads; the duration and the latencies are in microseconds.
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
