//! Device discovery through the CUDA driver API.
//!
//! Only entry points that every driver since CUDA 3.2 has are called: cudarc panics on a missing library or
//! symbol, so the library is looked for first and nothing newer is touched before the version is known.

use std::ffi::c_int;

use cudarc::driver::{DriverError, result, sys};
use serde::{Deserialize, Serialize};

/// The oldest driver API that odg-bench's kernels are built for, as CUDA counts it (1000 × major + 10 × minor).
pub const OLDEST_DRIVER: i32 = 12_020;

/// A GPU that the CUDA driver offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Ordinal, as CUDA counts.
    pub index: u32,
    /// Product name.
    pub name: String,
    /// Compute capability, major and minor.
    pub compute_capability: (u32, u32),
    /// Total memory in bytes.
    pub memory_bytes: u64,
    /// CUDA version of the driver, `major.minor`.
    pub driver_version: String,
}

/// Why no device can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The driver's library is not installed.
    #[error(
        "no GPU: the CUDA driver library (libcuda.so.1) is not on this machine; install the NVIDIA driver"
    )]
    NoLibrary,
    /// The driver answers, and has no device.
    #[error(
        "no GPU: the CUDA driver is here and sees no device; check nvidia-smi and CUDA_VISIBLE_DEVICES"
    )]
    NoDevice,
    /// The driver is older than the kernels need.
    #[error(
        "the CUDA driver speaks version {found} and odg-bench needs {needed}; upgrade the NVIDIA driver"
    )]
    DriverTooOld {
        /// Version found, `major.minor`.
        found: String,
        /// Version needed, `major.minor`.
        needed: String,
    },
    /// A call to the driver failed.
    #[error("the CUDA driver refused {call}: {reason}; check nvidia-smi")]
    Driver {
        /// Function of the driver API.
        call: &'static str,
        /// CUDA's name of the error.
        reason: String,
    },
}

/// All devices of this machine, in CUDA's order; never empty.
///
/// # Errors
/// A missing library, no device, an old driver, or a refusing one: each its own [`DeviceError`].
pub fn discover() -> Result<Vec<Device>, DeviceError> {
    // SAFETY: loads the driver library and unloads it again; its initialisers are NVIDIA's own.
    if !unsafe { sys::is_culib_present() } {
        return Err(DeviceError::NoLibrary);
    }
    result::init().map_err(|e| driver_error("cuInit", e))?;
    let version = driver_version()?;
    if version < OLDEST_DRIVER {
        return Err(DeviceError::DriverTooOld {
            found: format_version(version),
            needed: format_version(OLDEST_DRIVER),
        });
    }
    let count = result::device::get_count().map_err(|e| driver_error("cuDeviceGetCount", e))?;
    if count <= 0 {
        return Err(DeviceError::NoDevice);
    }
    (0..count).map(|ordinal| describe(ordinal, version)).collect()
}

fn describe(ordinal: c_int, version: i32) -> Result<Device, DeviceError> {
    let device = result::device::get(ordinal).map_err(|e| driver_error("cuDeviceGet", e))?;
    let name = result::device::get_name(device).map_err(|e| driver_error("cuDeviceGetName", e))?;
    // SAFETY: `device` was handed out by cuDeviceGet just above.
    let memory = unsafe { result::device::total_mem(device) }
        .map_err(|e| driver_error("cuDeviceTotalMem", e))?;
    let attribute = |which| {
        // SAFETY: as above.
        unsafe { result::device::get_attribute(device, which) }
            .map(|value| u32::try_from(value).unwrap_or(0))
            .map_err(|e| driver_error("cuDeviceGetAttribute", e))
    };
    use sys::CUdevice_attribute_enum as Attribute;
    Ok(Device {
        index: u32::try_from(ordinal).unwrap_or(0),
        name,
        compute_capability: (
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ),
        memory_bytes: memory as u64,
        driver_version: format_version(version),
    })
}

fn driver_version() -> Result<i32, DeviceError> {
    let mut version: c_int = 0;
    // SAFETY: the pointer is to a live integer of the type that the driver writes.
    unsafe { sys::cuDriverGetVersion(&mut version) }
        .result()
        .map_err(|e| driver_error("cuDriverGetVersion", e))?;
    Ok(version)
}

fn format_version(version: i32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

fn driver_error(call: &'static str, error: DriverError) -> DeviceError {
    use sys::cudaError_enum as Code;
    match error.0 {
        Code::CUDA_ERROR_NO_DEVICE => DeviceError::NoDevice,
        code => DeviceError::Driver { call, reason: format!("{code:?}") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discovery_answers_with_devices_or_a_typed_reason_and_never_panics() {
        match discover() {
            Ok(devices) => {
                assert!(!devices.is_empty());
                for device in devices {
                    assert!(!device.name.is_empty());
                    assert!(device.memory_bytes > 0);
                    assert!(device.compute_capability.0 > 0);
                }
            }
            Err(error) => {
                let line = error.to_string();
                assert!(!line.is_empty() && !line.contains('\n'), "{line}");
            }
        }
    }

    #[test]
    fn a_driver_without_a_device_is_named_as_such() {
        let error = driver_error("cuInit", DriverError(sys::cudaError_enum::CUDA_ERROR_NO_DEVICE));
        assert_eq!(error, DeviceError::NoDevice);
        let error =
            driver_error("cuInit", DriverError(sys::cudaError_enum::CUDA_ERROR_STUB_LIBRARY));
        assert!(error.to_string().contains("STUB_LIBRARY"));
    }

    #[test]
    fn versions_read_as_cuda_writes_them() {
        assert_eq!(format_version(12_020), "12.2");
        assert_eq!(format_version(13_000), "13.0");
    }
}
