// SPDX-License-Identifier: GPL-2.0-only
export { probeAccelerators, selectAccelerator, TIME_SCALE, type AcceleratorVerdict } from './accelerator.js';
export { diagnose, type Check, type DoctorReport } from './doctor.js';
export { findExecutable } from './find.js';
export type * from './types.js';
