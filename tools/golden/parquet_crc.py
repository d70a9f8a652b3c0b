"""A small Parquet file whose pages carry a CRC-32, which the writer of our own tests leaves out.

    python -m venv venv && venv/bin/pip install pyarrow==26.0.1
    venv/bin/python tools/golden/parquet_crc.py crates/dataset/tests/golden/page_crc.parquet
"""

import sys

import pyarrow as pa
import pyarrow.parquet as pq

table = pa.table({"n": pa.array(range(40), pa.int64()), "plan": ["basic", "gold"] * 20})
pq.write_table(
    table,
    sys.argv[1],
    compression="none",
    use_dictionary=["plan"],
    write_statistics=False,
    store_schema=False,
    write_page_checksum=True,
)
