//! Sends every stored sample on to other systems by remote write.
