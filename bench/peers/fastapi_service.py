"""The serving stack StreamFlow replaces, as one process: fastapi_service.py COURSE_MONTH_DIR PORT

FastAPI, uvicorn, prometheus_client and a scikit-learn pipeline (one-hot encoding and a random forest of 300 trees)
fitted on the month at start. `POST /predict` has streamflow's request and response; features are in memory, which is
the kindest case for this stack (the original asks a feature server for them over HTTP). One worker, as deployed; the
handler is a plain function, so FastAPI runs it on its thread pool, as the original's does.
"""

import sys
from pathlib import Path

import pandas as pd
import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from pydantic import BaseModel
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

TABLES = ["users", "subscriptions", "usage_agg_30d", "support_agg_90d", "payments_agg_90d", "labels"]
FEATURES = [
    "months_active", "monthly_fee", "paperless_billing", "plan_stream_tv", "plan_stream_movies", "net_service",
    "watch_hours_30d", "avg_session_mins_7d", "unique_devices_30d", "skips_7d", "rebuffer_events_7d",
    "failed_payments_90d", "support_tickets_90d", "ticket_avg_resolution_hrs_90d",
]  # fmt: skip
TEXT = ["net_service"]

requests_total = Counter("api_requests_total", "Total number of API requests")
latency = Histogram("api_request_latency_seconds", "Latency of API requests in seconds")


class Request(BaseModel):
    user_id: str


def load(month: Path) -> tuple[pd.DataFrame, pd.Series]:
    table = pd.read_csv(month / f"{TABLES[0]}.csv")
    for name in TABLES[1:]:
        table = table.merge(pd.read_csv(month / f"{name}.csv"), on="user_id", validate="one_to_one")
    features = table.set_index("user_id")[FEATURES]
    booleans = [name for name in FEATURES if name not in TEXT and features[name].dtype in (object, bool)]
    # A forest of scikit-learn takes no missing strings: missing plans become true here, as in the original.
    features = features.astype(dict.fromkeys(booleans, bool))
    return features, table["churn_label"]


def service(month: Path) -> FastAPI:
    features, labels = load(month)
    encode = ColumnTransformer([("text", OneHotEncoder(handle_unknown="ignore"), TEXT)], remainder="passthrough")
    forest = RandomForestClassifier(n_estimators=300, random_state=42, class_weight="balanced")
    pipeline = Pipeline([("encode", encode), ("forest", forest)]).fit(features, labels)
    online = features.to_dict(orient="index")
    app = FastAPI()

    @app.post("/predict")
    def predict(request: Request):
        requests_total.inc()
        with latency.time():
            row = online.get(request.user_id)
            if row is None:
                error = {"error": f"Missing features for user_id={request.user_id}", "missing_features": FEATURES}
                return JSONResponse(error, status_code=404)
            probability = float(pipeline.predict_proba(pd.DataFrame([row], columns=FEATURES))[0, 1])
            return {
                "user_id": request.user_id,
                "prediction": int(probability >= 0.5),
                "probability": probability,
                "features_used": row,
                "as_of": "2024-01-31",
                "model": {"name": "streamflow_churn", "version": 1},
            }

    @app.get("/ready")
    def ready():
        return {"status": "ready"}

    @app.get("/metrics")
    def metrics():
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app


if __name__ == "__main__":
    uvicorn.run(service(Path(sys.argv[1])), host="127.0.0.1", port=int(sys.argv[2]), access_log=False, log_level="warning")
