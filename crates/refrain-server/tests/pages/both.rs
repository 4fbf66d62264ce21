//! Sessions are kept in the store or in the browser's cookie, and what a user has of them is the same.

/// Tests of what is the same: once for each way.
macro_rules! both_ways {
    ($($test:ident),+ $(,)?) => {
        mod in_store {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$test(refrain::config::SessionKeep::Store).await;
                }
            )+
        }

        mod in_cookie {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$test(refrain::config::SessionKeep::Cookie).await;
                }
            )+
        }
    };
}

pub(crate) use both_ways;
