//! Mathematics of the comparison, pure: knows no other room but `types`.
