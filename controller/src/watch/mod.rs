//! Watches of the cluster that feed the index.
