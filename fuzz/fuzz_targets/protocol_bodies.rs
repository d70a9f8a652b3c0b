//! Any bytes as a request in the protocols of other model servers, over REST and as a frame of gRPC: an answer, and never
//! a 500 or its code in gRPC.
#![no_main]

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use libfuzzer_sys::fuzz_target;
use streamflow::api::{self, ApiState, FileModel, NamedFile};
use streamflow::config::ApiConfig;
use streamflow_fuzz::{answer, runtime};
use streamflow_inference::Model;
use tokio::runtime::Runtime;

const FILE: &str = "tree\nversion=v4\nnum_tree_per_iteration=1\nobjective=binary sigmoid:1\nfeature_names=hours plan\n\
    feature_infos=[0:50] 0:1\n\nTree=0\nnum_leaves=2\nsplit_feature=0\nthreshold=30\ndecision_type=8\nleft_child=-1\n\
    right_child=-2\nleaf_value=1 -1\n\nend of trees\npandas_categorical:[[\"monthly\", \"yearly\"]]\n";

static SERVICE: LazyLock<(Runtime, Router, Router)> = LazyLock::new(|| {
    let model = FileModel::new("churn".to_owned(), Model::read(FILE.as_bytes()).expect("a model"));
    let files = vec![NamedFile { name: "churn".to_owned(), model, path: None }];
    let state = ApiState::of_files(ApiConfig::default(), files).expect("one name");
    (runtime(), api::router(state.clone()), api::grpc_router(state))
});

fuzz_target!(|bytes: &[u8]| {
    let (runtime, rest, grpc) = &*SERVICE;
    let length = (bytes.len() / 2).to_string();
    let json = (header::CONTENT_TYPE.as_str(), "application/json");
    for (path, (name, value)) in [
        ("/v2/models/churn/infer", json),
        ("/v2/models/churn/infer", ("inference-header-content-length", length.as_str())),
        ("/v1/models/churn:predict", json),
        ("/invocations", json),
        ("/invocations", (header::CONTENT_TYPE.as_str(), "text/csv")),
        ("/predict/batch", json),
    ] {
        let request =
            Request::post(path).header(name, value).body(Body::from(bytes.to_vec())).expect("a request");
        let (status, _) = answer(runtime, rest, request);
        assert!(matches!(status.as_u16(), 200 | 400 | 413 | 422), "{path}: {status}");
    }
    let framed = [&[0][..], &(bytes.len() as u32).to_be_bytes(), bytes].concat();
    for body in [framed, bytes.to_vec()] {
        let request = Request::post("/inference.GRPCInferenceService/ModelInfer")
            .header(header::CONTENT_TYPE, "application/grpc");
        let (status, _) = answer(runtime, grpc, request.body(Body::from(body)).expect("a request"));
        assert_eq!(status.as_u16(), 200);
    }
});
