//! Admission of pods and policies.
